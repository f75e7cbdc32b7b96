"""What a server's URL group is set to, as its options say and the machine has it."""

import math

import pytest

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import ServerProperty
from hostler.server.httpsys.server import HttpSysServer
from hostler.server.options import ServerOptions, Timeouts
from hostler.server.options.authentication import Authentication, AuthScheme, ChannelBinding
from hostler.server.options.httpsys import HttpSysOptions
from hostler.server.options.log import Logging
from hostler.server.prefix import UrlPrefix
from hostler.windows.errors import Win32Error
from tests.server.httpsys.served import URL

PREFIXES = [UrlPrefix.parse(URL)]


@pytest.fixture
def windows(machine):
    return machine.process()


async def hello(exchange):
    return await exchange.respond(200, "hello")


KINDS = {
    "AUTHENTICATION": "HTTP_SERVER_AUTHENTICATION_INFO",
    "EXTENDED_AUTHENTICATION": "HTTP_SERVER_AUTHENTICATION_INFO",
    "LOGGING": "HTTP_LOGGING_INFO",
    "QOS": "HTTP_QOS_SETTING_INFO",
    "TIMEOUTS": "HTTP_TIMEOUT_LIMIT_INFO",
    "STATE": "HTTP_STATE_INFO",
    "CHANNEL_BIND": "HTTP_CHANNEL_BIND_INFO",
    "BINDING": "HTTP_BINDING_INFO",
}


def asked(windows, group, name):
    """Ask the machine for a property of a URL group: not all can be queried (HttpQueryUrlGroupProperty)."""
    value = ffi.new(f"{KINDS[name]} *")
    groups = {other.id: other for session in windows.of.machine.sessions.values() for other in session.groups}
    if (data := groups[group.id].properties.get(ServerProperty[name])) is not None:
        ffi.memmove(value, data, ffi.sizeof(value[0]))
    return value


async def grouped(windows, timeouts=None, **own):
    """Listen with these options; returns the server and its URL group."""
    options = ServerOptions(timeouts=timeouts or Timeouts(), httpsys=HttpSysOptions(receives=1, **own))
    server = HttpSysServer(hello, options, windows=windows)
    await server.listen(PREFIXES)
    return server, server._group


async def test_without_options_a_group_is_only_bound(windows):
    server, group = await grouped(windows)
    set_to = [call.arguments[1] for call in windows.calls if call.function == "HttpSetUrlGroupProperty"]
    assert set_to == [ServerProperty.BINDING]
    assert asked(windows, group, "BINDING").RequestQueueHandle == server._queue.handle
    await server.stop(1)


async def test_timeouts_and_the_least_rate(windows):
    timeouts = Timeouts(
        entity_body=1, drain_entity_body=2, request_queue=3, idle_connection=4, header_wait=math.inf
    )
    server, group = await grouped(windows, timeouts, min_send_rate=240)
    found = asked(windows, group, "TIMEOUTS")
    assert (found.Flags, found.EntityBody, found.DrainEntityBody, found.RequestQueue) == (1, 1, 2, 3)
    assert (found.IdleConnection, found.HeaderWait, found.MinSendRate) == (4, 65535, 240)
    await server.stop(1)


async def test_the_limit_of_connections(machine, windows):
    server, group = await grouped(windows, max_connections=1)
    assert asked(windows, group, "QOS").QosType == 1
    assert machine.sessions[server._session._id].groups[0].most_connections == 1
    await server.stop(1)


async def test_the_bandwidth(windows):
    server, group = await grouped(windows, bandwidth=4096)
    assert asked(windows, group, "QOS").QosType == 0
    await server.stop(1)


@pytest.mark.parametrize(
    ("own", "name"), [({}, "AUTHENTICATION"), ({"kerberos_caching": True}, "EXTENDED_AUTHENTICATION")]
)
async def test_authentication(windows, own, name):
    schemes = AuthScheme.NEGOTIATE | AuthScheme.NTLM
    server, group = await grouped(windows, authentication=Authentication(schemes=schemes, **own))
    found = asked(windows, group, name)
    assert (found.Flags, found.AuthSchemes, found.ExFlags) == (1, 4 | 8, int(bool(own)))
    await server.stop(1)


async def test_channel_binding(windows):
    server, group = await grouped(windows, channel_binding=ChannelBinding(service_names="HTTP/a"))
    found = asked(windows, group, "CHANNEL_BIND")
    assert (found.Hardening, found.NumberOfServiceNames) == (1, 1)
    await server.stop(1)


async def test_logging(windows):
    server, group = await grouped(windows, logging=Logging(directory="C:\\logs"))
    found = asked(windows, group, "LOGGING")
    assert (found.Flags & 1, found.Format, found.RolloverType) == (1, 0, 1)
    await server.stop(1)


async def test_the_state(machine, windows):
    server, group = await grouped(windows, enabled=False)
    assert (asked(windows, group, "STATE").Flags, asked(windows, group, "STATE").State) == (1, 1)
    await machine.client().request("GET", URL).over()
    assert machine.httperr[-1] == (503, "Disabled")
    await server.stop(1)


ALL = {
    "max_connections": 5,
    "authentication": Authentication(schemes=AuthScheme.NTLM),
    "channel_binding": ChannelBinding(),
    "logging": Logging(directory="C:\\logs"),
    "enabled": False,
    "min_send_rate": 9,
}


@pytest.mark.parametrize(
    "name", ["TIMEOUTS", "QOS", "AUTHENTICATION", "CHANNEL_BIND", "LOGGING", "STATE", "BINDING"]
)
async def test_a_property_that_cannot_be_set_leaves_nothing(machine, windows, name):
    windows.fail("HttpSetUrlGroupProperty", 50, when=lambda group, number, *_: number == ServerProperty[name])
    server = HttpSysServer(hello, ServerOptions(httpsys=HttpSysOptions(**ALL)), windows=windows)
    with pytest.raises(Win32Error, match=f"HttpSetUrlGroupProperty {name}: ERROR_NOT_SUPPORTED"):
        await server.listen(PREFIXES)
    assert not {"session", "url group", "url"} & machine.alive().keys()
    await server.listen(PREFIXES)
    assert [*machine.registry.registrations] == PREFIXES
    await server.stop(1)
