"""Supervisors and workers, as processes: they are killed, interrupted, restarted and stopped for real."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import httpx
import pytest

from tests.end_to_end.programs import APPS, hostler, program, session, until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks processes up in /proc")

LOCAL = "http://127.0.0.1:0/"


@pytest.fixture
def release(tmp_path):
    """Let what waits in the application go on."""
    return (tmp_path / "release").touch


def client(**options):
    return httpx.AsyncClient(trust_env=False, timeout=20, **options)


async def ask(url, **options):
    """Return the process that answers."""
    async with client() as http:
        response = await http.get(url, **options)
    assert response.status_code == 200, response.text
    return int(response.text.split()[0])


def serve(*args, **environment):
    return hostler("serve", "worker_apps:app", *args, **environment)


def waiting(url):
    """Begin a request that waits for `release`."""
    return asyncio.create_task(ask(f"{url}/wait"))


async def refused(url):
    """Wait until nobody listens any more."""
    async with asyncio.timeout(20), client() as http:
        while True:
            try:
                await http.get(url)
            except httpx.ConnectError:
                return
            except httpx.TransportError:
                continue


# -- workers end ------------------------------------------------------------------------------------------------------


async def test_a_killed_worker_is_replaced():
    async with serve("--url", LOCAL) as supervisor:
        url = await supervisor.url()
        assert await supervisor.says("serving worker_apps:app with 1 worker$")
        first = await ask(url)
        assert first != supervisor.pid
        os.kill(first, signal.SIGKILL)
        second = await ask(url)
        assert second not in {first, supervisor.pid}
        await supervisor.says(
            rf"worker 1 \(process {first}\) was ended by SIGKILL; another is started now", "err"
        )
        os.kill(second, signal.SIGKILL)
        await supervisor.says("SIGKILL; another is started in 0.1 s", "err")
        assert await ask(url) not in {first, second}


async def test_workers_share_the_port_and_end_with_the_supervisor():
    async with serve("--url", LOCAL, "--workers", "2") as supervisor:
        url = await supervisor.url()
        await supervisor.says("with 2 workers")
        workers = set()
        while len(workers) < 2:
            workers.add(await ask(url))
        supervisor.kill(signal.SIGTERM)
        assert await supervisor.ends() == 0
        await until(lambda: not session(supervisor.pid))
    assert not supervisor.err[:-1]


async def test_workers_end_when_their_supervisor_is_killed_and_finish_what_they_have(release):
    async with serve("--url", LOCAL) as supervisor:
        url = await supervisor.url()
        await supervisor.says("serving")
        request = waiting(url)
        await supervisor.says("waiting", "err")
        supervisor.kill()
        await supervisor.says("the supervisor is gone", "err")
        release()
        assert await request
        await until(lambda: not session(supervisor.pid))


# -- stopping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1])
async def test_a_graceful_stop_takes_nothing_new_and_finishes_what_it_has(workers, release):
    async with serve("--url", LOCAL, "--workers", workers) as server:
        url = await server.url()
        if workers:
            await server.says("serving")
        request = waiting(url)
        await server.says("waiting", "err")
        server.kill(signal.SIGTERM)
        await refused(url)
        assert server.process.returncode is None
        release()
        assert await request
        assert await server.ends() == 0
        assert "/wait 200" in server.output
        await until(lambda: not session(server.pid))


@pytest.mark.parametrize("workers", [0, 1])
async def test_a_second_signal_stops_at_once(workers):
    async with serve("--url", LOCAL, "--workers", workers) as server:
        url = await server.url()
        if workers:
            await server.says("serving")
        request = waiting(url)
        await server.says("waiting", "err")
        server.kill(signal.SIGTERM)
        await refused(url)
        server.kill(signal.SIGINT)
        assert await server.ends() == 128 + signal.SIGINT
        with pytest.raises(httpx.TransportError):
            await request
        await until(lambda: not session(server.pid))


async def test_exchanges_have_their_grace_and_no_more():
    async with serve("--url", LOCAL, "--grace", "0.1") as server:
        request = waiting(await server.url())
        await server.says("waiting", "err")
        server.kill(signal.SIGTERM)
        assert await server.ends() == 0
        with pytest.raises(httpx.TransportError):
            await request
        assert "1 exchanges were not over after 0.1 s" in server.errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_every_process_stops_gracefully(number, release):
    async with serve("--url", LOCAL, "--workers", "2") as server:
        url = await server.url()
        await server.says("serving")
        request = waiting(url)
        await server.says("waiting", "err")
        server.kill_group(number)
        await refused(url)
        release()
        assert await request
        assert await server.ends() == 0
        await until(lambda: not session(server.pid))


async def test_a_worker_that_an_administrator_stops_finishes_what_it_has_and_is_replaced(release):
    async with serve("--url", LOCAL) as supervisor:
        url = await supervisor.url()
        await supervisor.says("serving")
        worker = await ask(url)
        request = waiting(url)
        await supervisor.says("waiting", "err")
        os.kill(worker, signal.SIGTERM)
        os.kill(worker, signal.SIGTERM)
        release()
        assert await request == worker
        await supervisor.says(
            rf"worker 1 \(process {worker}\) ended with exit status 0; another is started", "err"
        )
        assert await ask(url) != worker


async def test_workers_that_stop_already_finish_what_they_have_when_their_supervisor_is_killed(release):
    async with serve("--url", LOCAL) as supervisor:
        url = await supervisor.url()
        await supervisor.says("serving")
        request = waiting(url)
        await supervisor.says("waiting", "err")
        supervisor.kill(signal.SIGTERM)
        await refused(url)
        supervisor.kill()
        await supervisor.says("the supervisor is gone", "err")
        release()
        assert await request
        await until(lambda: not session(supervisor.pid))


async def test_control_c_while_workers_are_imported(tmp_path):
    (tmp_path / "slow_import.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    async with hostler("serve", "slow_import:app", "--app-dir", tmp_path, "--url", LOCAL) as server:
        await server.says("importing")
        server.kill_group(signal.SIGINT)
        assert await server.ends() == 0
        assert server.errors == ""
        await until(lambda: not session(server.pid))


# -- starting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
async def test_an_application_that_cannot_be_imported(workers, tmp_path):
    (tmp_path / "broken_shop.py").write_text("import no_such_package\n")
    async with hostler(
        "serve", "broken_shop:app", "--app-dir", tmp_path, "--url", LOCAL, "--workers", workers
    ) as server:
        assert await server.ends() == 1
        assert server.errors == (
            f"hostler: {tmp_path}/broken_shop.py, line 1: ModuleNotFoundError: No module named 'no_such_package'"
        )
        await until(lambda: not session(server.pid))


async def test_a_worker_that_ends_while_it_starts(tmp_path):
    (tmp_path / "leaving_shop.py").write_text("import os\nos._exit(7)\n")
    async with hostler("serve", "leaving_shop:app", "--app-dir", tmp_path, "--url", LOCAL) as server:
        assert await server.ends() == 1
        assert server.errors.endswith("ended with exit status 7 before it was ready")


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import sys\nsys.exit(0)\n", "line 2: the module ended the process (exit status 0)"),
        ("def broken(:\n", "line 1: SyntaxError: invalid syntax"),
        ("raise RuntimeError('boom\\nsecond')\n", "line 1: RuntimeError: boom second"),
    ],
)
async def test_what_a_module_does_instead_of_being_imported(workers, source, said, tmp_path):
    (tmp_path / "odd_shop.py").write_text(source)
    async with hostler(
        "serve", "odd_shop:app", "--app-dir", tmp_path, "--url", LOCAL, "--workers", workers
    ) as server:
        assert await server.ends() == 1
        assert server.errors.endswith(f"odd_shop.py, {said}")


@pytest.mark.parametrize("workers", [0, 1])
async def test_an_application_that_refuses_to_start(workers):
    async with hostler("serve", "worker_apps:stubborn", "--url", LOCAL, "--workers", workers) as server:
        assert await server.ends() == 1
        assert server.errors == "hostler: the application did not start: OSError: no database"


@pytest.mark.logs_errors("ZeroDivisionError")
async def test_verbose_shows_the_traceback(tmp_path):
    (tmp_path / "verbose_shop.py").write_text("1 / 0\n")
    async with hostler(
        "serve", "verbose_shop:app", "--app-dir", tmp_path, "--url", LOCAL, "--verbose"
    ) as server:
        assert await server.ends() == 1
        assert "Traceback (most recent call last)" in server.errors
        assert server.errors.splitlines()[-1].endswith("line 1: ZeroDivisionError: division by zero")


async def test_a_port_in_use():
    async with serve("--url", LOCAL) as first:
        url = await first.url()
        async with serve("--url", url) as second:
            assert await second.ends() == 1
            assert second.errors.startswith(
                f"hostler: cannot listen on {url}/: port {url.rpartition(':')[2]} is"
            )


@pytest.mark.parametrize("workers", [0, 2])
async def test_a_program_that_serves_its_own_application(workers):
    async with program("worker_apps.py", workers) as server:
        url = await server.url()
        if workers:
            await server.says(r"serving __mp_main__:app with 2 workers")
        assert (await ask(url) == server.pid) == (workers == 0)
        server.kill(signal.SIGTERM)
        assert await server.ends() == 0
        assert server.errors == ""


@pytest.mark.logs_errors("put the call under")
async def test_a_program_must_not_serve_again_when_workers_import_it(tmp_path):
    path = tmp_path / "unguarded.py"
    path.write_text(
        "import hostler\nfrom worker_apps import app\n"
        "hostler.serve(app, urls=['http://127.0.0.1:0/'], workers=1, quiet=True)\n"
    )
    async with program(path, PYTHONPATH=APPS) as server:
        assert await server.ends() == 1
        assert 'put the call under `if __name__ == "__main__":`' in server.errors
        assert server.errors.splitlines()[-1].endswith("with exit status 1 before it was ready")


# -- restarting -------------------------------------------------------------------------------------------------------


async def flow(url, http, seen, stopping):
    """Send one request after another; every one must be answered."""
    while not stopping.is_set():
        response = await http.get(url)
        assert response.status_code == 200, response.text
        seen.append(int(response.text.split()[0]))


async def restarted_under_load(supervisor, url, http):
    """Restart the workers while requests flow; returns those that answered before and after."""
    flows, stopping = [[], [], [], []], asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for seen in flows:
            group.create_task(flow(url, http, seen, stopping))
        await until(lambda: all(len(seen) > 10 for seen in flows))
        before = {pid for seen in flows for pid in seen}
        supervisor.kill(signal.SIGHUP)
        await supervisor.says("every worker was replaced", "err")
        marks = [len(seen) + 1 for seen in flows]  # one answer each may still be on its way
        await until(lambda: all(len(seen) > mark + 10 for seen, mark in zip(flows, marks, strict=True)))
        stopping.set()
    return before, {pid for seen, mark in zip(flows, marks, strict=True) for pid in seen[mark:]}


@pytest.mark.parametrize("kept", [0, 4])
async def test_sighup_replaces_the_workers_and_loses_no_connection(kept):
    async with serve("--url", LOCAL, "--workers", "2", "--verbose", "--quiet") as supervisor:
        url = await supervisor.url()
        await supervisor.says("serving")
        async with client(limits=httpx.Limits(max_keepalive_connections=kept)) as http:
            before, after = await restarted_under_load(supervisor, url, http)
        assert not before & after


async def test_sighup_replaces_the_workers_and_loses_no_delegated_request(tmp_path):
    document = delegating(tmp_path, "rolling")
    async with (
        serve("--queue", "rolling", "--workers", "2", "--verbose", "--quiet") as supervisor,
        hostler("run", document, "--url", LOCAL, "--quiet") as proxy,
    ):
        url = await proxy.url()
        await supervisor.says("serving queue rolling with 2 workers")
        async with client() as http:
            before, after = await restarted_under_load(supervisor, f"{url}/d/x", http)
        assert not before & after
        assert proxy.errors == ""


async def test_a_restart_into_a_broken_application_keeps_the_one_that_runs(tmp_path):
    source = tmp_path / "edited_shop.py"
    source.write_text("from worker_apps import app\n")
    async with hostler(
        "serve",
        "edited_shop:app",
        "--app-dir",
        tmp_path,
        "--url",
        LOCAL,
        PYTHONPATH=APPS,
    ) as supervisor:
        url = await supervisor.url()
        worker = await ask(url)
        source.write_text("nonsense\n")
        supervisor.kill(signal.SIGHUP)
        await supervisor.says("worker 1 goes on as it is.*NameError: name 'nonsense' is not defined", "err")
        assert await ask(url) == worker
        os.kill(worker, signal.SIGKILL)
        await supervisor.says("worker 1 cannot start: .*NameError.*; another is started in 0.1 s", "err")
        source.write_text("from worker_apps import app\n")
        assert await ask(url) != worker


# -- queues -----------------------------------------------------------------------------------------------------------


def delegating(tmp_path, queue, destination="http://127.0.0.1:1/"):
    """Write a document that delegates /d/ to a queue and forwards /f/ to a destination."""
    path = tmp_path / "appsettings.json"
    path.write_text(
        """
        { // what the tests need
          "ReverseProxy": {
            "Routes": {
              "d": {"ClusterId": "d", "Match": {"Path": "/d/{**rest}"}},
              "f": {"ClusterId": "f", "Match": {"Path": "/f/{**rest}"}},
            },
            "Clusters": {
              "d": {"Destinations": {"q": {"Address": "http://*:80/", "Metadata": {"HttpSysDelegationQueue": "QUEUE"}}}},
              "f": {"Destinations": {"a": {"Address": "ADDRESS"}}},
            }
          }
        }
        """.replace("QUEUE", queue).replace("ADDRESS", destination)
    )
    return path


async def test_a_proxy_forwards_and_delegates(tmp_path, runtime):
    async with (
        serve("--url", LOCAL) as destination,
        serve("--queue", "Orders", "--workers", "2") as workers,
    ):
        document = delegating(tmp_path, "orders", await destination.url())
        async with hostler("run", document, "--url", LOCAL) as proxy, client() as http:
            await workers.says("serving queue Orders with 2 workers")
            url = await proxy.url()
            for path, body in [("f/1", b""), ("d/2", b""), ("f/3", b"x" * 5000), ("d/4", b"x" * 500_000)]:
                response = await http.post(f"{url}/{path}", content=body)
                assert response.status_code == 200, response.text
                pid, received = map(int, response.text.split())
                assert received == len(body)
                assert pid in session(workers.pid if path.startswith("d") else destination.pid)
            assert (await http.get(f"{url}/")).status_code == 404
            for process in (proxy, workers, destination):
                process.kill(signal.SIGTERM)
                assert await process.ends() == 0, str(process)
                assert process.errors == ""
            assert "/d/4 200 delegated to orders, 500000 B in" in proxy.output
            assert "/f/3 200 forwarded to http://127.0.0.1" in proxy.output
    assert [path.name for path in runtime.iterdir()] == [".guard"]


async def test_requests_wait_in_the_queue_while_no_worker_is_there(tmp_path):
    document = delegating(tmp_path, "patient")
    async with serve("--queue", "patient") as workers, hostler("run", document, "--url", LOCAL) as proxy:
        url = await proxy.url()
        await workers.says("serving")
        first = await ask(f"{url}/d/1")
        os.kill(first, signal.SIGKILL)
        assert await ask(f"{url}/d/2") != first


async def test_a_queue_that_must_be_new_is_created_once():
    async with serve("--queue", "mine", "--mode", "create") as first:
        await first.says("serving queue mine with 1 worker")
        async with serve("--queue", "mine", "--mode", "create") as second:
            assert await second.ends() == 1
            assert second.errors.startswith("hostler: queue 'mine' exists: another process holds it;")


@pytest.mark.parametrize("workers", [0, 1])
async def test_a_queue_that_must_be_there(workers):
    async with serve("--queue", "theirs", "--mode", "attach", "--workers", workers) as early:
        assert await early.ends() == 1
        assert early.errors.startswith("hostler: no queue 'theirs' in ")
    async with serve("--queue", "theirs") as owner:
        await owner.says("serving")
        async with serve("--queue", "theirs", "--mode", "attach", "--workers", workers) as second:
            await second.says("serving queue theirs")
            second.kill(signal.SIGTERM)
            assert await second.ends() == 0


@pytest.mark.parametrize("workers", [0, 1])
async def test_a_wrong_queue_name_is_refused_before_anything_starts(workers, runtime):
    async with serve("--queue", "a/b", "--mode", "attach", "--workers", workers) as server:
        assert await server.ends() == 1
        assert server.errors.startswith("hostler: 'a/b' is not a queue name")
        assert server.output == ""
    assert not runtime.exists()
