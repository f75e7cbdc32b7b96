"""The rules of the house: which way imports point, and what stays free of I/O."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "hostler"

ALLOWED = {
    "errors": set(),
    "importing": {"errors"},
    "output": set(),
    "explaining": {"errors"},
    "windows": {"errors"},
    "completion": set(),
    "direct": {"completion", "outcome"},
    "task": {"completion"},
    "context": set(),
    "deadline": set(),
    "reading": set(),
    "http": {"errors"},
    "tls": {"errors", "reading"},
    "tls.certificate": set(),
    "config": {"errors", "http", "routing", "steps", "tls.certificate"},
    "routing": {"errors", "http", "config", "steps"},
    "channel": {"errors"},
    "contract": set(),
    "native": {"connection"},
    "connection": set(),
    "caching": {"config", "native"},
    "answering": {"errors", "http"},
    "outcome": {"errors"},
    "delegating": {"answering", "errors", "outcome"},
    "request_ids": set(),
    "exchange": {"caching", "outcome", "delegating", "request_ids", "answering", "errors", "http", "channel"},
    "fleet": {"config", "deadline", "routing", "steps"},
    "pipeline": {"errors", "exchange", "outcome"},
    "server.base": set(),
    "server.delegation": set(),
    "server.pending": set(),
    "server.options": {"errors", "http", "server.prefix", "tls.certificate"},
    "server.prefix": {"errors", "http"},
    "server.handling": {"direct", "exchange", "outcome", "pipeline", "answering", "contract", "errors", "server.pending", "task"},
    "server.placing": {"errors", "http", "exchange", "outcome"},
    "server.usermode": {"caching", "native", "client.outgoing", "completion", "errors", "exchange", "outcome", "http", "config", "contract", "deadline", "reading", "server.base", "server.delegation", "server.options", "server.prefix", "server.handling", "server.pending", "server.placing", "tls"},
    "server.httpsys": {"caching", "connection", "client.outgoing", "errors", "http", "config", "contract", "server.base", "server.delegation", "server.options", "server.prefix", "server.handling", "server.pending", "server.placing", "windows"},
    "server.choose": {"errors", "config", "server.base", "server.options", "server.httpsys", "server.usermode"},
    "server.configured": {"errors", "config", "server.options"},
    "server.check": {"errors", "config", "server.base", "server.kestrel", "server.prefix", "steps"},
    "server.kestrel_values": {"errors", "config", "http", "server.options", "server.prefix"},
    "server.kestrel": {"errors", "config", "server.kestrel_values", "server.options", "server.prefix"},
    "server.trusted": {"errors", "config", "server.options"},
    "client.outgoing": {"errors", "http"},
    "transforms": {"client.outgoing", "answering", "errors", "http", "config", "routing", "fleet", "exchange", "outcome"},
    "client.tls": {"errors", "tls"},
    "client": {"client.tls", "context", "direct", "client.outgoing", "transforms", "client.probe", "answering", "completion", "errors", "http", "config", "deadline", "reading", "exchange", "outcome", "tls"},
    "stages": {"native", "transforms", "answering", "authorization", "deadline", "rate_limiting", "errors", "http", "config", "exchange", "outcome", "fleet", "pipeline"},
    "client.probe": {"http"},
    "probing": {"client.probe", "config", "fleet", "stages"},
    "authorization": {"client", "config", "http"},
    "rate_limiting": {"config", "errors", "importing"},
    "chains": {"errors", "config", "exchange", "outcome", "fleet", "pipeline"},
    "client.dns": {"client", "config", "fleet"},
    "policies": {"client.dns", "errors", "config", "importing", "fleet", "probing", "stages"},
    "checking": {"client.tls", "transforms", "errors", "config", "policies", "server.check", "server.configured", "server.kestrel", "server.trusted", "steps"},
    "documents": {"transforms", "checking", "errors", "config", "server.kestrel", "steps"},
    "resolving": {"client.dns", "config", "policies", "steps"},
    "steps": set(),
    "filters": {"errors", "config"},
    "sources": {"checking", "errors", "config", "documents", "filters", "policies", "steps"},
    "service": {"config", "errors", "server.check", "server.configured", "server.kestrel", "server.trusted", "server.base", "server.choose", "server.options", "server.prefix", "stages"},
    "loaders": {"errors", "importing", "asgi", "proxy"},
    "processes.serving": {"pipeline", "stages", "server.base", "server.choose", "server.options", "server.placing", "service", "loaders"},
    "processes": {"errors", "output", "explaining", "server.base", "server.choose", "service", "windows", "processes.serving"},
    "running": {"errors", "output", "server.base", "server.options", "service", "loaders", "processes"},
    "unrouted": {"errors", "routing"},
    "default_pipeline": {"stages"},
    "proxy": {"default_pipeline", "unrouted", "transforms", "errors", "chains", "resolving", "config", "routing", "fleet", "pipeline", "stages", "policies", "probing", "checking", "filters", "sources", "client", "steps"},
    "mounting": {"caching", "native", "answering", "asgi", "errors", "exchange", "outcome", "http", "pipeline"},
    "asgi": {"answering", "errors", "importing", "http", "exchange", "outcome", "channel"},
}  # fmt: skip
"""What each part may import from the others; what is not listed composes, and may import anything."""

WITHOUT_IO = [
    "http",
    "tls.certificate",
    "routing",
    "config.model",
    "config.checks",
    "fleet",
    "policies",
    "transforms",
    "client.outgoing",
    "client.address",
    "client.transfer",
    "client.upstream",
    "server.options",
    "server.prefix",
    "server.httpsys.marshal",
    "server.usermode.queues.packets",
]
KNOWS_THE_ENVIRONMENT = "http.heads"  # and with it `os`: HOSTLER_PURE chooses between compiled and pure
IO = {"asyncio", "anyio", "socket", "os", "selectors", "threading", "ssl", "subprocess"}


def modules():
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imports(path):
    """Return the modules that are imported when a module runs, not those for type checkers only."""
    found = set()

    def visit(nodes):
        for node in nodes:
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                visit(node.orelse)
            elif isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module)
            else:
                visit(ast.iter_child_nodes(node))

    visit(ast.parse(path.read_text()).body)
    return found


def part_of(module):
    names = [name for name in ALLOWED if module == name or module.startswith(f"{name}.")]
    return max(names, key=len, default=None)


def test_every_listed_part_exists():
    existing = [name for name, _ in modules()]
    assert [part for part in ALLOWED if not any(part_of(name) == part for name in existing)] == []


@pytest.mark.parametrize(
    ("module", "path"), list(modules()), ids=[name or "hostler" for name, _ in modules()]
)
def test_imports_point_one_way(module, path):
    part = part_of(module)
    if part is None:
        return
    used = {part_of(name.removeprefix("hostler.")) for name in imports(path) if name.startswith("hostler.")}
    assert used - {part} <= ALLOWED[part]


@pytest.mark.parametrize("part", WITHOUT_IO)
def test_these_do_no_io(part):
    for module, path in modules():
        if module == part or module.startswith(f"{part}."):
            used = {name.partition(".")[0] for name in imports(path)} & IO
            assert used <= ({"os"} if module == KNOWS_THE_ENVIRONMENT else set()), module


@pytest.mark.parametrize("module", ["client.outgoing", "client.transfer", "client.pool", "client.upstream"])
def test_exchanges_know_connections_to_destinations_by_protocol_only(module):
    path = dict(modules())[module]
    known = {f"hostler.client.{name}" for name in ("http1", "connector", "forwarder")}
    assert not (imports(path) & known)


def test_stages_never_import_a_server_implementation():
    for module, path in modules():
        if module.startswith("stages"):
            assert not [name for name in imports(path) if name.startswith("hostler.server.")], module
