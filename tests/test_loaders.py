"""The kinds of handlers that can be served, and what worker processes get of them."""

from __future__ import annotations

import json
import pickle

import pytest

from hostler import ConfigError, Proxy
from hostler.asgi import Application
from hostler.demo import apps
from hostler.loaders import ApplicationLoader, DocumentLoader, HandlerLoader
from hostler.testing import exchange


async def application(scope, receive, send):
    """An application at the top of a module."""


async def handler(exchange):
    """A handler at the top of a module."""


proxy = Proxy(urls=["http://localhost:8080/"])
number = 5


def crossed(loader):
    """Return the loader as a worker process gets it."""
    return pickle.loads(pickle.dumps(loader.for_workers()))


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "proxy.json"
    path.write_text(json.dumps({"Urls": "http://localhost:8080/;http://localhost:8081/", "ReverseProxy": {}}))
    return str(path)


# -- applications -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", [apps.worker, "hostler.demo.apps:worker"])
def test_an_application_is_loaded_once_in_each_process(app):
    loader = ApplicationLoader(app)
    loaded = loader.load()
    assert isinstance(loaded, Application)
    assert loaded.app is apps.worker
    assert loader.load() is loaded
    there = crossed(loader)
    assert there.name == "hostler.demo.apps:worker"
    assert there.load().app is apps.worker
    assert loader.config() is None


def test_an_application_that_workers_cannot_import():
    loader = ApplicationLoader(lambda scope, receive, send: None)
    assert loader.name == "function"
    assert loader.load()
    with pytest.raises(ConfigError, match="app: no module has this function under a name"):
        loader.for_workers()


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (
            f"{__name__}:proxy",
            f'{__name__}:proxy: a Proxy is not an ASGI application: run it with hostler.run("{__name__}:proxy")',
        ),
        (proxy, "app: a Proxy is not an ASGI application: run it with hostler.run"),
    ],
)
def test_a_proxy_is_no_application(app, said):
    with pytest.raises(ConfigError) as caught:
        ApplicationLoader(app).load()
    assert str(caught.value) == said


# -- handlers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handled", [handler, f"{__name__}:handler"])
def test_a_handler(handled):
    loader = HandlerLoader(handled)
    assert loader.load() is handler
    assert loader.config() is None
    there = crossed(loader)
    assert there.name == f"{__name__}:handler"
    assert there.load() is handler


@pytest.mark.parametrize("handled", [proxy, f"{__name__}:proxy"])
def test_a_proxy_says_where_it_listens(handled):
    assert HandlerLoader(handled).config().urls == ("http://localhost:8080/",)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            f"{__name__}:number",
            f"{__name__}:number: a int cannot be called; expected a Proxy, or an async def",
        ),
        (f"{__name__}:nothing", f"{__name__}:nothing: there is no attribute 'nothing' in '{__name__}'"),
        ("no_such_module:proxy", "no_such_module:proxy: there is no module 'no_such_module'"),
        ("gateway", "gateway: does not name a handler, write it as module:attribute"),
    ],
)
def test_what_is_no_handler(name, words):
    with pytest.raises(ConfigError, match=words):
        HandlerLoader(name).load()


def test_a_handler_that_workers_cannot_import():
    with pytest.raises(ConfigError, match="handler: no module has this Proxy under a name"):
        HandlerLoader(Proxy()).for_workers()


# -- documents --------------------------------------------------------------------------------------------------------


def test_a_document_is_read_in_each_process(document):
    loader = DocumentLoader(document)
    assert loader.name == document
    assert loader.config().urls == ("http://localhost:8080/", "http://localhost:8081/")
    assert loader.load() is loader.load()
    there = crossed(loader)
    assert there.load() is not loader.load()
    assert there.load().config == loader.load().config


def test_several_documents_cross_with_what_is_laid_over_them(document, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"ReverseProxy": {"Clusters": {"c": {}}}}))
    (tmp_path / "other.Staging.json").write_text(json.dumps({"ReverseProxy": {"Clusters": {"d": {}}}}))
    there = crossed(DocumentLoader(document, str(other), environment="Staging"))
    assert there.name == f"{document}, {other}"
    assert [cluster.id for cluster in there.load().config.clusters] == ["c", "d"]
    alone = crossed(DocumentLoader(document, str(other), environment="Staging", layers=False))
    assert [cluster.id for cluster in alone.load().config.clusters] == ["c"]


@pytest.mark.asyncio
@pytest.mark.parametrize(("allowed", "status"), [(False, 400), (True, 404)])
async def test_ambiguous_paths_are_allowed_in_each_process_or_in_none(tmp_path, allowed, status):
    path = tmp_path / "proxy.json"
    path.write_text(json.dumps({"ReverseProxy": {"Routes": {"a": {"Match": {"Path": "/a"}}}}}))
    there = crossed(DocumentLoader(str(path), dangerous_allow_ambiguous_paths=allowed))
    assert (await there.load()(exchange("GET", "//a"))).status == status


def test_what_can_be_reloaded_is_a_proxy_of_a_document(document):
    assert DocumentLoader(document).reload()
    assert HandlerLoader(Proxy.from_file(document)).reload()
    assert not HandlerLoader(proxy).reload()
    assert not HandlerLoader(handler).reload()
    assert not ApplicationLoader(application).reload()


def test_a_document_that_cannot_be_used(tmp_path):
    with pytest.raises(FileNotFoundError):
        DocumentLoader(str(tmp_path / "nothing.json")).load()
