"""What is served, and how, as one value."""

from __future__ import annotations

import pickle

import pytest

from hostler import (
    Certificate,
    ConfigError,
    Endpoint,
    Hsts,
    HttpsRedirection,
    HttpSysOptions,
    PrefixError,
    Proxy,
    QueueMode,
    ServerKind,
    ServerOptions,
    TlsOptions,
    TrustedProxies,
    UnsupportedError,
)
from hostler.config.httpsys import HttpSys
from hostler.config.kestrel import Kestrel, KestrelCertificate, KestrelEndpoint
from hostler.config.model import Config
from hostler.config.trusted import TrustedSection
from hostler.loaders import ApplicationLoader, HandlerLoader
from hostler.output import write_out
from hostler.server.choose import choose
from hostler.service import DEFAULT_URL, Service, https_port, options_for, parse_prefixes, prefixes_for

PROXY = HandlerLoader(Proxy(urls=["http://localhost:8080/"]))
APPLICATION = ApplicationLoader("hostler.demo.apps:worker")


@pytest.mark.parametrize(
    ("loader", "urls", "queue", "expected"),
    [
        (PROXY, ["http://a:1/", "http://b:2/"], None, ["http://a:1/", "http://b:2/"]),
        (PROXY, [], None, ["http://localhost:8080/"]),
        (PROXY, [], "shop", ["http://localhost:8080/"]),
        (APPLICATION, [], None, [DEFAULT_URL]),
        (APPLICATION, [], "shop", []),
        (APPLICATION, ["http://a:1/"], "shop", ["http://a:1/"]),
    ],
)
def test_where_to_listen(loader, urls, queue, expected):
    assert prefixes_for(loader, urls, queue) == parse_prefixes(expected)


def test_what_is_no_prefix():
    with pytest.raises(PrefixError):
        prefixes_for(APPLICATION, ["localhost:80"])


@pytest.mark.parametrize("urls", ["http://a:1/", "localhost"])
def test_one_url_where_a_list_is_expected(urls):
    with pytest.raises(TypeError, match=r"is one URL prefix where a list is expected: write \['"):
        prefixes_for(APPLICATION, urls)


# -- options of HTTP.sys ----------------------------------------------------------------------------------------------

CONFIGURED = HandlerLoader(Proxy(httpsys=HttpSys(max_accepts=5, bandwidth=1024)))


def httpsys_of(loader, given=None, said=None):
    return options_for(loader, given, ServerKind.HTTPSYS, said).httpsys


def test_options_are_the_programs_else_the_configurations():
    given = ServerOptions(request_queue_limit=7)
    assert options_for(CONFIGURED, given, ServerKind.USERMODE) == given
    assert httpsys_of(CONFIGURED) == HttpSysOptions(receives=5, bandwidth=1024)
    assert options_for(PROXY, None) == options_for(APPLICATION, None) == ServerOptions()


def test_what_the_command_line_says_is_laid_over():
    said = HttpSys(max_accepts=6)
    assert httpsys_of(CONFIGURED, said=said) == HttpSysOptions(receives=6, bandwidth=1024)
    assert httpsys_of(APPLICATION, said=said) == HttpSysOptions(receives=6)


@pytest.mark.parametrize(
    ("loader", "said", "why"),
    [
        (CONFIGURED, None, "the section HttpSys is for HTTP"),
        (APPLICATION, HttpSys(), "--httpsys is for HTTP"),
    ],
)
def test_the_user_mode_server_has_none_of_them(loader, said, why):
    with pytest.raises(UnsupportedError, match=why):
        options_for(loader, None, ServerKind.USERMODE, said)


def test_options_that_are_wrong():
    with pytest.raises(ConfigError, match=r"HttpSys\.MaxAccepts: 0 is not a number of calls"):
        httpsys_of(APPLICATION, said=HttpSys(max_accepts=0))
    with pytest.raises(ConfigError, match=r"HttpSys\.MaxAccepts: 0 is not a number of calls"):
        Proxy(httpsys=HttpSys(max_accepts=0))


# -- endpoints of the user-mode server ----------------------------------------------------------------------------------

SECTION = Kestrel(
    endpoints={"a": KestrelEndpoint(url="https://*:5001")},
    certificates={"Default": KestrelCertificate(path="a.pem")},
)
ENDPOINTS = HandlerLoader(Proxy.from_config(Config(urls=["http://localhost:8080/"], kestrel=SECTION)))
A, B = (TlsOptions(certificate=Certificate(path=path)) for path in ("a.pem", "b.pem"))


def test_endpoints_say_where_to_listen_instead_of_urls():
    assert prefixes_for(ENDPOINTS, server="usermode") == parse_prefixes(["https://*:5001/"])
    assert prefixes_for(ENDPOINTS, ["http://a:1/"], server="usermode") == parse_prefixes(["http://a:1/"])
    assert prefixes_for(ENDPOINTS, server="httpsys") == parse_prefixes(["http://localhost:8080/"])
    alone = HandlerLoader(Proxy.from_config(Config(kestrel=SECTION)))
    with pytest.raises(UnsupportedError, match="are for the user-mode server, and this is HTTP"):
        prefixes_for(alone, server="httpsys")


def test_what_endpoints_say_goes_into_options():
    endpoint = {"https://*:5001/": Endpoint(tls=A)}
    assert options_for(ENDPOINTS, None, "usermode") == ServerOptions(tls=A, endpoints=endpoint)
    given = ServerOptions(backlog=7, tls=B)
    assert options_for(ENDPOINTS, given, "usermode") == ServerOptions(backlog=7, tls=B, endpoints=endpoint)
    said = Kestrel(certificates={"Default": KestrelCertificate(path="b.pem")})
    other = {"https://*:5001/": Endpoint(tls=B)}
    assert options_for(ENDPOINTS, None, "usermode", kestrel=said) == ServerOptions(tls=B, endpoints=other)
    assert options_for(APPLICATION, None, "usermode", kestrel=said) == ServerOptions(tls=B)


def test_httpsys_reads_no_endpoints(caplog):
    assert options_for(ENDPOINTS, None, "httpsys") == ServerOptions()
    assert "the section Kestrel is not read by HTTP.sys" in caplog.text
    with pytest.raises(UnsupportedError, match="hostler cert"):
        options_for(APPLICATION, None, "httpsys", kestrel=Kestrel())


# -- as a whole -------------------------------------------------------------------------------------------------------


def test_what_stands_when_nothing_is_said():
    service = Service(loader=APPLICATION)
    assert (service.server, service.mode) == (choose(), QueueMode.CREATE_OR_ATTACH)


def test_names_stand_for_the_server_and_the_mode():
    service = Service(loader=APPLICATION, server="usermode", mode="attach")
    assert (service.server, service.mode) == (ServerKind.USERMODE, QueueMode.ATTACH)
    with pytest.raises(ValueError, match="'iis' is not a valid ServerKind"):
        Service(loader=APPLICATION, server="iis")


def test_a_service_crosses_to_a_worker_process():
    service = Service(
        loader=APPLICATION,
        prefixes=parse_prefixes(["http://localhost:8080/shop/"]),
        queue="shop",
        mode=QueueMode.ATTACH,
        options=ServerOptions(backlog=7),
        grace=3,
        write_line=write_out,
        log_level=20,
    )
    there = pickle.loads(pickle.dumps(service))
    assert there.loader.name == service.loader.name
    assert there.write_line is write_out
    for name in ("prefixes", "queue", "mode", "server", "options", "grace", "log_level"):
        assert getattr(there, name) == getattr(service, name)


# -- trusted proxies --------------------------------------------------------------------------------------------------

BEHIND = HandlerLoader(
    Proxy.from_config(Config(trusted_proxies=TrustedSection(networks=("10.0.0.2",), forward_limit=2)))
)


@pytest.mark.parametrize("server", ["usermode", "httpsys"])
def test_trusted_proxies_are_the_configurations_with_the_command_line_over_it(server):
    assert options_for(BEHIND, None, server).trusted_proxies == TrustedProxies(networks=["10.0.0.2"], limit=2)
    said = TrustedSection(networks=("unix",), headers="forwarded")
    assert options_for(BEHIND, None, server, trusted=said).trusted_proxies == TrustedProxies(
        networks=["unix"], headers="forwarded", limit=2
    )
    assert options_for(APPLICATION, None, server, trusted=said).trusted_proxies == TrustedProxies(
        networks=["unix"], headers="forwarded"
    )


def test_trusted_proxies_of_a_program_prevail():
    given = ServerOptions(trusted_proxies=TrustedProxies(networks=["::1"]))
    assert options_for(BEHIND, given).trusted_proxies == TrustedProxies(networks=["::1"])
    assert options_for(BEHIND, ServerOptions(backlog=7)).trusted_proxies is not None


# -- to https ---------------------------------------------------------------------------------------------------------


def redirected_to(*urls, **settings):
    options = ServerOptions(https_redirection=HttpsRedirection(**settings))
    service = Service(loader=APPLICATION, prefixes=parse_prefixes(urls), options=options)
    return https_port(service.options.https_redirection, service.prefixes)


def test_the_port_of_https_is_that_of_the_prefix():
    assert redirected_to("http://*:80", "https://*:443", "https://shop.example:443/a") == 443
    assert redirected_to("http://*:80", "https://*:443", https_port=8443) == 8443
    assert redirected_to("http://*:80", https_port=443) == 443


@pytest.mark.parametrize(
    ("urls", "why"),
    [
        (["http://*:80"], "there is no https prefix"),
        (["https://*:443", "https://*:8443"], "several: 443, 8443;"),
    ],
)
def test_a_redirection_to_nowhere(urls, why):
    with pytest.raises(ConfigError, match=f"HttpsRedirection: says no port to send clients to, and .*{why}"):
        redirected_to(*urls)
    assert redirected_to(*urls, active=False) == 0


def test_a_documents_sections_go_into_options():
    config = Config(https_redirection=HttpsRedirection(https_port=1), hsts=Hsts(max_age=1))
    loader = HandlerLoader(Proxy.from_config(config))
    for server in ServerKind:
        options = options_for(loader, None, server)
        assert (options.https_redirection, options.hsts) == (config.https_redirection, config.hsts)
    own = HttpsRedirection(https_port=2)
    assert options_for(loader, ServerOptions(https_redirection=own), "usermode").https_redirection is own
