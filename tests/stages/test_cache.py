"""Having the server keep responses: which exchanges the stage asks that of."""

from hostler import Route
from hostler.native import NOTHING_NATIVE
from hostler.stages import cache
from hostler.testing import FakeStream, exchange


class Native:
    """A server that has a cache."""

    can_cache = True

    def __init__(self):
        self.asked = []

    def cache(self, caching):
        self.asked.append(caching.seconds)


async def answered(**fields):
    """Send an exchange through the stage on a route; returns what the server was asked."""
    stream = FakeStream()
    stream.native = native = Native()

    async def onward(exchange):
        return await exchange.respond(200)

    made = exchange(stream=stream, route=Route("/", "c", **fields))
    assert (await cache(made, onward)).status == 200
    return native.asked


async def test_responses_are_kept_where_the_route_says_so():
    assert await answered(response_caching=True) == [None]


async def test_elsewhere_they_are_not():
    assert await answered() == []


def test_the_stage_is_on_the_way_of_those_routes_only():
    assert [cache.concerns_route(Route("/", response_caching=value)) for value in (True, False)] == [
        True,
        False,
    ]


def test_the_user_mode_server_has_no_cache():
    assert not NOTHING_NATIVE.can_cache
