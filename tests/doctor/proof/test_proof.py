"""A proof on the model: promises are kept, and what breaks, hangs or cannot be tried does not stop the others."""

import asyncio
import getpass
import json
import platform
from pathlib import Path

import pytest

from hostler.cli import main
from hostler.doctor.proof import document, promise
from hostler.doctor.proof.command import run_on
from hostler.doctor.proof.document import FORMAT, about, to_json
from hostler.doctor.proof.errors import NotTriedError, expect
from hostler.doctor.proof.promise import Promise, Verdict
from hostler.doctor.proof.proof import PROMISES, prove
from hostler.errors import HostlerError, QueueError
from tests.doctor.proof.on_model import MADE, ModelSurroundings, prove_on_model, proving_machine
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.served import FakeProactor

BY_NAME = {promise.name: promise for promise in PROMISES}


def promised(perform, limit=5.0):
    return Promise("a promise", "something happens", perform, limit)


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - {"loop's port"}))
async def test_every_promise_is_kept(name):
    (attempt,) = await prove_on_model([BY_NAME[name]])
    assert (attempt.verdict, attempt.detail) == (Verdict.KEPT, "")
    assert attempt.events


async def test_the_loops_own_port():
    (attempt,) = await prove_on_model([BY_NAME["loop's port"]])
    assert attempt.verdict is Verdict.NOT_TRIED
    async with proving_machine() as machine:
        windows, loop, attempts = machine.process("here"), asyncio.get_running_loop(), []
        loop._proactor = proactor = FakeProactor(windows, loop)
        try:
            await prove(windows, ModelSurroundings(machine), attempts.append, [BY_NAME["loop's port"]])
        finally:
            await proactor.close()
            loop._proactor = None
    assert (attempts[0].verdict, attempts[0].detail) == (Verdict.KEPT, "")


async def test_a_windows_without_delegation_is_not_blamed():
    (attempt,) = await prove_on_model([BY_NAME["delegation"]], version="2016")
    assert attempt.verdict is Verdict.NOT_TRIED
    assert attempt.detail == "httpapi.dll has no HttpDelegateRequestEx here"


# -- attempts that fail -----------------------------------------------------------------------------------------------


async def broken(rig):
    expect(1 == 2, "one to be two", 1)  # noqa: PLR0133 - it is not


async def impossible(rig):
    raise NotTriedError("it needs an administrator")


async def refused(rig):
    raise QueueError("queue 'q' cannot be had")


async def wrong(rig):
    raise ZeroDivisionError("of all things")


async def hanging(rig):
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("perform", "verdict", "detail"),
    [
        (broken, Verdict.BROKEN, "expected one to be two; got 1"),
        (impossible, Verdict.NOT_TRIED, "it needs an administrator"),
        (refused, Verdict.BROKEN, "queue 'q' cannot be had"),
        (wrong, Verdict.BROKEN, "ZeroDivisionError: of all things"),
        (hanging, Verdict.BROKEN, "it was not over in 0 seconds"),
    ],
)
async def test_what_fails_does_not_stop_the_others(perform, verdict, detail):
    first, second = await prove_on_model([promised(perform, limit=0.05), BY_NAME["receive"]])
    assert (first.verdict, first.detail) == (verdict, detail)
    assert second.verdict is Verdict.KEPT


async def test_what_cannot_be_stopped_is_left_alone(monkeypatch):
    monkeypatch.setattr(promise, "_CLEANING_UP", 0.05)
    go = asyncio.Event()

    async def stubborn(rig):
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue

    (attempt,) = await prove_on_model([promised(stubborn, limit=0.05)])
    go.set()
    assert attempt.detail == "it was not over in 0 seconds, nor did it let go in 0 more"


async def test_a_kernel_that_misbehaves_is_found_out():
    async with proving_machine() as machine:
        windows, attempts = machine.process("here"), []
        windows.fail("HttpReceiveRequestEntityBody", 87, times=1000)
        surroundings = ModelSurroundings(machine)
        await prove(windows, surroundings, attempts.append, [BY_NAME["completions"], BY_NAME["upload"]])
    assert [attempt.verdict for attempt in attempts] == [Verdict.BROKEN, Verdict.BROKEN]
    assert attempts[0].detail == "expected 38 of a read at the end of a body; got 87"


# -- the file ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine():
    machine = Machine()
    machine.listen()
    yield machine
    assert machine.alive() == {}
    machine.close()


def run(machine, path, promises):
    return run_on(machine.process("here"), ModelSurroundings(machine), path, MADE, promises)


def test_the_command_says_what_came_of_each_promise_and_writes_a_file(machine, tmp_path, capsys):
    path = tmp_path / "proof.json"
    assert run(machine, path, [BY_NAME["receive"], promised(impossible)]) == 0
    kept, not_tried, last = capsys.readouterr().out.splitlines()
    assert kept.startswith("receive            kept (0.")
    assert not_tried == "a promise          not tried: it needs an administrator (0.0 s)"
    assert last.startswith(f"{path} has every call and what came of it")
    written = json.loads(path.read_text())
    assert (written["format"], written["made"]) == (FORMAT, MADE)
    assert [entry["verdict"] for entry in written["promises"]] == ["kept", "not tried"]


@pytest.mark.parametrize("text", ['{"ReverseProxy": {}}', "Urls: http://localhost/", "[1]"])
def test_what_is_no_proof_is_not_overwritten(machine, tmp_path, text):
    path = tmp_path / "appsettings.json"
    path.write_text(text)
    with pytest.raises(
        HostlerError, match=r"appsettings\.json is there already, and is no proof; name another file"
    ):
        run(machine, path, [])
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["", to_json(MADE, [])])
def test_a_proof_takes_the_place_of_another(machine, tmp_path, text):
    path = tmp_path / "proof.json"
    path.write_text(text)
    assert run(machine, path, [promised(impossible)]) == 0
    assert len(json.loads(path.read_text())["promises"]) == 1


def test_where_nothing_can_be_written_is_said_before_anything_is_tried(machine, tmp_path, capsys):
    with pytest.raises(
        HostlerError, match=r"proof\.json cannot be written: No such file or directory; name another file"
    ):
        run(machine, tmp_path / "gone" / "proof.json", [promised(broken)])
    assert capsys.readouterr().out == ""


def test_a_proof_is_about_no_document(capsys):
    assert main(["doctor", "a.json", "--prove"]) == 1
    assert capsys.readouterr().err == "hostler: --prove looks at no document; leave out a.json\n"


def test_the_status_says_that_a_promise_is_broken(machine, tmp_path):
    assert run(machine, tmp_path / "proof.json", [promised(broken)]) == 1


def test_ctrl_c_cleans_up_and_leaves_a_file(machine, tmp_path):
    async def interrupted(rig):
        async with rig.serve(broken):
            raise KeyboardInterrupt

    path = tmp_path / "proof.json"
    with pytest.raises(KeyboardInterrupt):
        run(machine, path, [BY_NAME["receive"], promised(interrupted), BY_NAME["upload"]])
    assert [entry["name"] for entry in json.loads(path.read_text())["promises"]] == ["receive"]


async def test_a_file_does_not_say_whose_machine_it_is_of():
    async def telling(rig):
        raise OSError(f"{Path.home()}/x of {getpass.getuser().upper()} on {platform.node()}")

    attempts = await prove_on_model([BY_NAME["two processes"], promised(telling)])
    assert attempts[1].detail != ""
    text = to_json(about(), attempts)
    assert json.loads(text)["promises"][1]["detail"] == "OSError: <home>/x of <user> on <machine>"
    for name in (str(Path.home()), platform.node()):
        assert name.lower() not in text.lower()


def test_what_a_proof_is_made_with_names_nobody():
    assert set(about()) == {"hostler", "python", "system"}
    assert "RegisteredOwner" not in document._WINDOWS


def test_there_is_nothing_to_prove_without_windows(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--prove"]) == 1
    assert capsys.readouterr().err.startswith("hostler: --prove tries HTTP.sys itself: run it on Windows")
    assert list(tmp_path.iterdir()) == []
