"""The fake's URL groups: registering, conflicts, reservations, which group takes a request."""

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.program import BINDING, NULL, URL, VERSION, Program

STATE, QOS, VERBOSITY = 5, 2, 6


def contexts(machine, program, *urls):
    """Send a request for each URL; returns the context of each, or the status that it got."""
    found = []
    for url in urls:
        host, _, rest = url.removeprefix("http://").partition("/")
        port = host.rpartition(":")[2]
        call = machine.client().request("GET", f"http://127.0.0.1:{port}/{rest}", host=host)
        if call.status:
            found.append(call.status)
        else:
            io = program.take()
            found.append(io.request.UrlContext)
            program.respond(io.request.RequestId)
    return found


# -- what can be registered (HttpAddUrlToUrlGroup)


@pytest.mark.parametrize(
    "url",
    [
        "http://+:80/", "https://+:443/", "http://*:8080/a/", "http://example.com:80/a/b/", "http://10.0.0.1:80/",
        "http://[::1]:80/",
    ],
)  # fmt: skip
def test_a_full_prefix_can_be_registered(machine, url):
    assert Program(machine, urls=()).add(url) == c.OK


@pytest.mark.parametrize(
    "url",
    [
        "http://+/", "http://+:80", "http://+:80/a", "HTTP://+:80/", "ftp://+:80/", "http://:80/", "http://+:0/",
        "http://+:080/", "http://+:65536/", "+:80/", "",
    ],
)  # fmt: skip
def test_what_is_no_full_prefix_is_an_invalid_parameter(machine, url):
    assert Program(machine, urls=()).add(url) == c.INVALID_PARAMETER


def test_conflicts_are_per_category_and_without_case(machine):
    program, other = Program(machine, urls=()), Program(machine, "other", urls=())
    assert program.add("http://+:80/a/") == c.OK
    assert other.add("http://+:80/A/") == c.ALREADY_EXISTS
    assert other.add("http://*:80/a/") == c.OK
    assert other.add("http://example.com:80/a/") == c.OK
    assert other.add("http://EXAMPLE.com:80/a/") == c.ALREADY_EXISTS
    assert other.add("https://*:80/a/") == c.ALREADY_EXISTS  # a port carries one scheme


def test_urls_are_removed_by_who_has_them(machine):
    program, other = Program(machine), Program(machine, "other", urls=())
    remove = program.http.HttpRemoveUrlFromUrlGroup
    assert other.http.HttpRemoveUrlFromUrlGroup(other.group, URL, 0) == c.FILE_NOT_FOUND
    assert remove(program.group, URL, 0) == c.OK
    assert remove(program.group, URL, 0) == c.FILE_NOT_FOUND
    assert other.add(URL) == c.OK
    program.add("http://+:80/a/")
    program.add("http://+:80/b/")
    assert remove(program.group, "http://+:80/a/", 1) == c.INVALID_PARAMETER
    assert remove(program.group, NULL, 0) == c.INVALID_PARAMETER
    assert remove(program.group, NULL, 1) == c.OK
    assert program.windows.alive().get("url") is None


def test_a_group_of_another_process_is_none(machine):
    program, other = Program(machine), Program(machine, "other", urls=())
    add = other.http.HttpAddUrlToUrlGroup
    assert add(program.group, "http://+:99/", 0, 0) == c.INVALID_PARAMETER
    assert other.http.HttpCloseUrlGroup(program.group) == c.INVALID_PARAMETER
    assert other.http.HttpCloseServerSession(program.session) == c.INVALID_PARAMETER


# -- reservations

RESERVATIONS = {"http://+:80/vroot/subdir/": {"a", "c"}, "http://adatum.com:80/vroot/": {"b"}}


@pytest.mark.parametrize(
    ("user", "url", "code"),
    [
        ("b", "http://+:80/vroot/subdir/", c.ACCESS_DENIED),
        ("a", "http://+:80/vroot/subdir/", c.OK),
        ("c", "http://+:80/vroot/subdir/deeper/", c.OK),
        ("b", "http://adatum.com:80/vroot/subdir/", c.OK),
        ("c", "http://adatum.com:80/vroot/subdir/", c.ACCESS_DENIED),
        ("b", "http://adatum.com:80/vroot/anotherdir/", c.OK),
        ("a", "http://+:80/", c.ACCESS_DENIED),
    ],
)
def test_the_longest_reservation_says_who_may_register(machine, user, url, code):
    machine.reserve(RESERVATIONS)
    assert Program(machine, windows=machine.process(user=user), urls=()).add(url) == code


def test_without_a_reservation_it_takes_an_administrator(machine):
    machine.reserve({})
    assert Program(machine, urls=()).add(URL) == c.ACCESS_DENIED
    admin = machine.process("admin", administrator=True)
    assert Program(machine, windows=admin, urls=()).add(URL) == c.OK


def test_a_reservation_that_nobody_registered_hides_later_categories(machine):
    machine.reserve({"http://adatum.com:80/": {"b"}, "http://*:80/vroot/": {"user"}})
    program = Program(machine, urls=("http://*:80/vroot/",))
    assert contexts(
        machine, program, "http://adatum.com:80/vroot/file", "http://other.com:80/vroot/file"
    ) == [400, 1]


def test_reservations_can_be_made_by_an_administrator(machine):
    machine.reserve({})
    admin = machine.process("admin", administrator=True)
    assert admin.http.HttpInitialize(VERSION[0], 3, NULL) == c.OK
    program = Program(machine, urls=())
    url = ffi.new("char16_t[]", URL)
    sddl = ffi.new("char16_t[]", f"D:(A;;GX;;;{machine.sid('user')})")
    acl = ffi.new("HTTP_SERVICE_CONFIG_URLACL_SET *", ((url,), (sddl,)))
    size = ffi.sizeof(acl[0])
    assert program.http.HttpSetServiceConfiguration(NULL, 2, acl, size, NULL) == c.ACCESS_DENIED
    assert admin.http.HttpSetServiceConfiguration(NULL, 2, acl, size, NULL) == c.OK
    assert admin.http.HttpSetServiceConfiguration(NULL, 2, acl, size, NULL) == c.ALREADY_EXISTS
    assert program.add(URL) == c.OK
    assert admin.http.HttpDeleteServiceConfiguration(NULL, 2, acl, size, NULL) == c.OK
    assert admin.http.HttpDeleteServiceConfiguration(NULL, 2, acl, size, NULL) == c.FILE_NOT_FOUND


# -- who takes a request


def test_categories_are_searched_in_their_order(machine):
    program = Program(machine, urls=("http://+:80/vroot/", "http://adatum.com:80/", "http://*:80/"))
    urls = [
        "http://adatum.com:80/vroot/subdir/x",
        "http://adatum.com:80/default.htm",
        "http://other.com:80/x",
    ]
    assert contexts(machine, program, *urls) == [1, 2, 3]


def test_the_longest_path_takes_a_request_by_whole_segments(machine):
    program = Program(machine, urls=("http://*:80/", "http://*:80/dir/sna/"))
    base = "http://h:80"
    urls = [f"{base}/dir/app.htm", f"{base}/dir/sna/x", f"{base}/DIR/SNA", f"{base}/dir/snapper"]
    assert contexts(machine, program, *urls) == [1, 2, 2, 1]


def test_the_address_that_a_request_came_to_counts(machine):
    program = Program(machine, urls=("http://127.0.0.1:80/", "http://*:80/"))
    for local, context in (("127.0.0.1", 1), ("127.0.0.2", 2)):
        machine.client(local=local).request("GET", "http://h/")
        assert program.take().request.UrlContext == context


def test_an_unknown_host_is_400_and_an_unknown_path_404(machine):
    program = Program(machine, urls=("http://example.com:80/a/",))
    assert contexts(machine, program, "http://other.com:80/a/", "http://example.com:80/b/") == [400, 404]
    assert machine.httperr == [(400, "Hostname"), (404, "NotFound")]


def test_a_group_that_is_not_bound_is_503(machine):
    program = Program(machine)
    assert program.bind(NULL, BINDING, present=0) == c.OK
    assert contexts(machine, program, URL) == [503]
    assert program.bind(program.queue) == c.OK
    assert contexts(machine, program, URL) == [1]


def test_a_group_or_session_that_is_disabled_is_503(machine):
    program = Program(machine)
    verbosity = ffi.new("uint32_t *", 1)
    program.http.HttpSetRequestQueueProperty(program.queue, VERBOSITY, verbosity, 4, 0, NULL)
    on, off = ffi.new("HTTP_STATE_INFO *", (1, 0)), ffi.new("HTTP_STATE_INFO *", (1, 1))
    for set_, subject in (
        (program.http.HttpSetUrlGroupProperty, program.group),
        (program.http.HttpSetServerSessionProperty, program.session),
    ):
        assert set_(subject, STATE, off, 8) == c.OK
        assert contexts(machine, program, URL) == [503]
        assert set_(subject, STATE, on, 8) == c.OK
        assert contexts(machine, program, URL) == [1]


def test_a_connection_too_many_is_refused(machine):
    program = Program(machine)
    limit = ffi.new("HTTP_CONNECTION_LIMIT_INFO *", (1, 1))
    info = ffi.new("HTTP_QOS_SETTING_INFO *", (1, limit))
    assert program.http.HttpSetUrlGroupProperty(program.group, QOS, info, 16) == c.OK
    first, second = machine.client(), machine.client()
    first.request("GET", URL)
    assert second.request("GET", URL).reset
    assert machine.httperr == [(503, "ConnLimit")]
    first.disconnect()
    assert not second.request("GET", URL).reset


def test_finding_the_group_of_a_url(machine):
    program, other = Program(machine, queue="q"), Program(machine, "other", queue="r", urls=("http://+:80/",))
    group = ffi.new("HTTP_URL_GROUP_ID *")
    find = program.http.HttpFindUrlGroupId
    assert find(URL, program.queue, group) == c.OK
    assert group[0] == program.group
    assert find("http://+:80/", program.queue, group) == c.FILE_NOT_FOUND
    _, theirs = program.open("r", c.OPEN_EXISTING)
    assert find("http://+:80/", theirs, group) == c.OK
    assert group[0] == other.group


def test_closing_a_session_takes_its_urls_and_keeps_what_is_under_way(machine):
    program = Program(machine)
    client, idle = machine.client(), machine.client()
    call = client.request("GET", URL)
    request_id = program.take().request.RequestId
    done = idle.request("GET", URL)
    program.respond(program.take().request.RequestId)
    assert program.http.HttpCloseServerSession(program.session) == c.OK
    assert program.windows.alive().get("url") is None
    assert idle.connection.gone
    assert done.complete
    program.respond(request_id, b"under way")
    assert call.wait().body == b"under way"
    assert client.connection.gone
