"""Access control through a proxy: forwarded, delegated, upgraded; with keys from an issuer that may be ill-behaved."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

import hostler
from hostler import (
    ApiKeyDefinition,
    AuthorizationDefinition,
    BearerDefinition,
    Cluster,
    ConfigError,
    CorsDefinition,
    Definitions,
    Denied,
    Granted,
    Policies,
    Proxy,
    Route,
    serving,
    stages,
)
from hostler.config import yarp
from hostler.stages import forward
from tests.authorization.tokens import ISSUER, OTHER_RSA, RSA, public, token

pytestmark = pytest.mark.usefixtures("runtime")

PAGE = "https://app.example.com"
KEY = {"X-API-Key": "k1"}
DEFINITIONS = Definitions(
    cors={"Default": CorsDefinition(PAGE, allow_credentials=True)},
    authorization={
        "machines": AuthorizationDefinition(
            api_key=ApiKeyDefinition({"m": hashlib.sha256(b"k1").hexdigest()})
        )
    },
)


def bearer(keys, **changes):
    definition = BearerDefinition(ISSUER, "orders", "RS256", keys, **changes)
    return Definitions(authorization={"staff": AuthorizationDefinition(bearer=definition)})


def current(key=RSA, **changes):
    """Return the header with a token that is valid by the real clock."""
    return {"Authorization": f"Bearer {token(key, exp=int(time.time()) + 60, **changes)}"}


class Destination:
    """Answers, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    async def __call__(self, exchange):
        self.asked.append(exchange)
        return await exchange.respond(200, "there", headers=[("Access-Control-Allow-Origin", "*")])


@asynccontextmanager
async def guarded(definitions, *, policy="staff", policies=None, cors=None, queue=None):
    """Serve a proxy before a destination, which is forwarded to or delegated to."""
    there = Destination()
    async with serving(there, [] if queue else ["http://127.0.0.1:0/"], queue=queue) as served:
        address = hostler.queue(queue, "http://*:80/") if queue else served.url
        proxy = Proxy(
            [Route("/{**rest}", "c", authorization_policy=policy, cors_policy=cors)],
            [Cluster("c", [address])],
            definitions=definitions,
            policies=policies,
        )
        async with (
            serving(proxy) as gateway,
            httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client,
        ):
            yield client, there


@pytest.mark.parametrize("queue", [None, "workers"], ids=["forwarded", "delegated"])
async def test_what_is_denied_reaches_nobody(queue):
    async with guarded(DEFINITIONS, policy="Machines", queue=queue) as (client, there):
        assert (await client.get("/")).status_code == 401
        assert (
            await client.post("/", content=b"x" * 100_000, headers={"X-API-Key": "k2"})
        ).status_code == 401
        assert (await client.get("/", headers=KEY)).text == "there"
        assert len(there.asked) == 1


@pytest.mark.parametrize("queue", [None, "workers"], ids=["forwarded", "delegated"])
async def test_a_websocket_needs_permission_too(queue):
    async with guarded(DEFINITIONS, policy="machines", queue=queue) as (client, there):
        url = str(client.base_url).replace("http", "ws", 1)
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, proxy=None)
        assert refused.value.response.status_code == 401
        assert there.asked == []


@pytest.mark.parametrize("queue", [None, "workers"], ids=["forwarded", "delegated"])
async def test_a_page_learns_what_it_may_do_before_it_has_credentials(queue):
    preflight = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    async with guarded(DEFINITIONS, policy="machines", cors="Default", queue=queue) as (client, there):
        answer = await client.options("/", headers=preflight)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, PAGE)
        denied = await client.get("/", headers={"Origin": PAGE})
        assert (denied.status_code, denied.headers["access-control-allow-origin"]) == (401, PAGE)
        assert there.asked == []
        answer = await client.get("/", headers={"Origin": PAGE, **KEY})
        assert answer.headers.get_list("access-control-allow-origin") == (
            [PAGE] if queue is None else ["*", PAGE]
        )


async def test_a_preflight_is_for_the_route_of_the_method_that_it_asks_about():
    there = Destination()
    async with serving(there) as served:
        routes = [
            Route("/{**rest}", "c", id="read", methods=["GET"], authorization_policy="machines"),
            Route(
                "/{**rest}",
                "c",
                id="write",
                methods=["PUT"],
                cors_policy="Default",
                authorization_policy="machines",
            ),
        ]
        proxy = Proxy(routes, [Cluster("c", [served.url])], definitions=DEFINITIONS)
        async with (
            serving(proxy) as gateway,
            httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client,
        ):
            for method, status in [("PUT", 204), ("GET", 404), ("DELETE", 404)]:
                headers = {"Origin": PAGE, "Access-Control-Request-Method": method}
                assert (await client.options("/", headers=headers)).status_code == status
            assert (await client.options("/")).status_code == 405
            assert there.asked == []


async def test_a_policy_of_the_programs_own():
    async def weekdays(exchange):
        day = exchange.request.headers.get("x-day")
        return Denied(403, reason="it is Sunday") if day == "Sunday" else Granted(day)

    policies = Policies(authorization={"Weekdays": weekdays})
    async with guarded(None, policy="weekdays", policies=policies) as (client, _):
        assert (await client.get("/", headers={"X-Day": "Sunday"})).status_code == 403
        assert (await client.get("/", headers={"X-Day": "Monday"})).status_code == 200


@pytest.mark.logs_errors("ZeroDivisionError")
async def test_a_policy_that_raises_is_a_500_and_lets_nobody_in():
    async def broken(exchange):
        return 1 / 0

    async with guarded(None, policies=Policies(authorization={"staff": broken})) as (client, there):
        assert (await client.get("/")).status_code == 500
        assert there.asked == []


@pytest.mark.parametrize(
    ("route", "stage"),
    [({"authorization_policy": "machines"}, "authorize"), ({"cors_policy": "Default"}, "cors")],
)
def test_a_pipeline_without_the_stage_that_a_route_asks_for_is_refused(route, stage):
    routes = [Route("/open", "c"), Route("/", "c", id="r", **route)]
    with pytest.raises(ConfigError) as refused:
        Proxy(routes, definitions=DEFINITIONS, pipeline=[forward])
    assert [str(problem) for problem in refused.value.problems] == [
        (
            f"Routes.r: it asks for what the stage {stage} does, which the pipeline does not have; put hostler.stages.{stage} "
            "into the pipeline, or remove the setting"
        )
    ]
    assert Proxy(routes, definitions=DEFINITIONS, pipeline=[getattr(stages, stage), forward])


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({"authorization_policy": "staf"}, 'unknown policy "staf"; did you mean staff?'),
        ({"authorization_policy": "Default"}, 'unknown policy "Default"; use '),
        ({"cors_policy": "default"}, 'unknown policy "default"; use '),
        ({"cors_policy": "xyz"}, 'unknown policy "xyz"; use Disable, '),
    ],
)
def test_a_policy_that_does_not_exist(policies, said):
    async def staff(exchange):
        return Granted()

    with pytest.raises(ConfigError) as refused:
        Proxy([Route("/", id="r", **policies)], policies=Policies(authorization={"staff": staff}))
    assert refused.value.problems[0].message.startswith(said)


@pytest.mark.parametrize(("section", "name"), [("cors", "disable"), ("authorization", "Anonymous")])
def test_yarps_names_are_taken(section, name):
    given = {
        "cors": CorsDefinition("*"),
        "authorization": AuthorizationDefinition(api_key=ApiKeyDefinition({"a": "0" * 64})),
    }
    with pytest.raises(ConfigError, match="YARP's name for something else"):
        Proxy(definitions=Definitions(**{section: {name: given[section]}}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"{}", "there is no key in it that goes with RS256"),
        (b"<", "neither JSON"),
    ],
)
def test_keys_that_are_not_there_are_found_before_the_start(tmp_path, content, said):
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"Policies\.Authorization\.staff\.Bearer\.Keys: no keys .*{said}"):
        Proxy(definitions=bearer(str(path)))


def test_a_document_defines_policies():
    document = {
        "Policies": {
            "Cors": {
                "Default": {
                    "AllowedOrigins": [PAGE],
                    "AllowedMethods": ["PUT"],
                    "AllowedHeaders": ["*"],
                    "ExposedHeaders": ["X-Total"],
                    "AllowCredentials": True,
                    "PreflightMaxAge": "00:10:00",
                }
            },
            "Authorization": {
                "staff": {
                    "Bearer": {
                        "Issuer": ISSUER,
                        "Audiences": ["orders"],
                        "Algorithms": ["RS256"],
                        "Keys": "https://login.example.com/keys",
                        "Leeway": "00:00:30",
                        "RefreshPeriod": "00:10:00",
                        "RequiredScopes": ["orders.read"],
                        "RequiredClaims": {"role": ["staff"]},
                        "UserClaim": "email",
                    },
                    "Realm": "orders",
                }
            },
        }
    }
    config = yarp.load(document)
    assert config.definitions.cors["Default"] == CorsDefinition(
        PAGE, "PUT", "*", "X-Total", allow_credentials=True, preflight_max_age=600.0
    )
    assert config.definitions.authorization["staff"] == AuthorizationDefinition(
        bearer=BearerDefinition(
            ISSUER, "orders", "RS256", "https://login.example.com/keys", leeway=30.0, refresh_period=600.0,
            required_scopes="orders.read", required_claims={"role": "staff"}, user_claim="email",
        ),
        realm="orders",
    )  # fmt: skip
    assert yarp.dump(config) == {**document, "ReverseProxy": {}}


# -- an issuer --------------------------------------------------------------------------------------------------------


class Issuer:
    """Publishes keys, and counts how often it is asked."""

    def __init__(self):
        self.keys = public(RSA)
        self.asked = 0
        self.status = 200
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, exchange):
        self.asked += 1
        await self.open.wait()
        return await exchange.respond(self.status, self.keys, headers=[("Location", "/")])


async def test_keys_come_from_an_issuer_once_for_all_routes():
    issuer = Issuer()
    async with serving(issuer) as there, guarded(bearer(f"{there.url}/keys")) as (client, gate):
        answers = await asyncio.gather(*(client.get("/", headers=current()) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert issuer.asked == 1
        granted = gate.asked[0].request.headers.get("authorization")
        assert granted.startswith("Bearer ")


async def test_unknown_keys_by_the_dozen_cost_one_question():
    issuer = Issuer()
    async with serving(issuer) as there, guarded(bearer(f"{there.url}/keys")) as (client, gate):
        assert (await client.get("/", headers=current())).status_code == 200
        for number in range(50):
            headers = current(header={"kid": f"unknown-{number}"})
            assert (await client.get("/", headers=headers)).status_code == 401
        assert issuer.asked == 1  # less than half a minute has gone by
        assert len(gate.asked) == 1


@pytest.mark.parametrize(
    ("status", "keys"), [(302, b""), (500, b"{}"), (200, b"<html>"), (200, public(OTHER_RSA, use="enc"))]
)
async def test_an_issuer_that_lies_lets_nobody_in(caplog, status, keys):
    issuer = Issuer()
    issuer.status, issuer.keys = status, keys
    async with serving(issuer) as there, guarded(bearer(f"{there.url}/keys")) as (client, gate):
        answers = [await client.get("/", headers=current()) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.headers["retry-after"] for answer in answers} == {"2"}
        assert gate.asked == []
    assert len([record for record in caplog.records if "cannot read keys from" in record.getMessage()]) == 1


async def test_an_issuer_that_hangs_holds_up_nobody_who_has_no_token():
    issuer = Issuer()
    issuer.open.clear()
    async with serving(issuer) as there, guarded(bearer(f"{there.url}/keys")) as (client, _):
        waiting = asyncio.create_task(client.get("/", headers=current()))
        while not issuer.asked:  # noqa: ASYNC110 - a server's doing
            await asyncio.sleep(0.001)
        assert (await client.get("/")).status_code == 401
        assert (await client.get("/", headers={"Authorization": "Bearer x"})).status_code == 401
        issuer.open.set()
        assert (await waiting).status_code == 200


async def test_a_reload_keeps_the_keys_of_a_policy_that_stays_the_same():
    issuer = Issuer()
    async with serving(issuer) as there, serving(Destination()) as destination:
        definitions = bearer(f"{there.url}/keys")
        routes = [Route("/{**rest}", "c", authorization_policy="staff")]
        clusters = [Cluster("c", [destination.url])]
        proxy = Proxy(routes, clusters, definitions=definitions)
        async with (
            serving(proxy) as gateway,
            httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client,
        ):
            assert (await client.get("/", headers=current())).status_code == 200
            config = hostler.Config(
                [*routes, Route("/b", "c", authorization_policy="STAFF")],
                clusters,
                (),
                bearer(f"{there.url}/keys"),
            )
            proxy.update(config)
            assert (await client.get("/b", headers=current())).status_code == 200
            assert issuer.asked == 1
            proxy.update(
                hostler.Config(routes, clusters, (), bearer(f"{there.url}/keys", required_scopes="admin"))
            )
            assert (await client.get("/", headers=current())).status_code == 403
