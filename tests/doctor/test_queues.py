"""Request queues: where they are, which there are, and who serves them."""

import os
import socket
from pathlib import Path

import pytest
from attrs import evolve

from hostler.doctor.finding import Verdict
from hostler.doctor.queues import examine_queues, length_of_paths
from hostler.server.base import QueueMode
from hostler.server.httpsys.queue import create_queue
from hostler.server.usermode.queues.directory import QueueDirectory

unix = pytest.mark.skipif("sys.platform == 'win32'", reason="it has no queues in user mode")


def found(context):
    return {finding.what: finding for finding in examine_queues(context)}


# -- in user mode


@unix
def test_a_runtime_directory_that_is_not_there_is_not_made(in_user_mode, tmp_path):
    finding = found(in_user_mode())["runtime directory"]
    assert (finding.verdict, finding.detail) == (
        Verdict.OK,
        f"{tmp_path / 'run'}: not there yet, made with the first queue",
    )
    assert not (tmp_path / "run").exists()


@unix
def test_a_runtime_directory_that_others_may_enter_is_broken(in_user_mode, tmp_path):
    (tmp_path / "run").mkdir(mode=0o755)
    finding = found(in_user_mode())["runtime directory"]
    assert finding.verdict is Verdict.BROKEN
    assert "must be a directory of this user with mode 0700 (it has drwxr-xr-x" in finding.detail


@unix
@pytest.mark.skipif("os.name != 'nt' and os.geteuid() == 0", reason="root may go everywhere")
@pytest.mark.parametrize(
    ("mode", "detail"), [(0o555, "is closed to this user"), (0o000, "Permission denied")]
)
def test_a_runtime_directory_in_a_place_of_others_is_broken(
    in_user_mode, monkeypatch, tmp_path, mode, detail
):
    place = tmp_path / "place"
    place.mkdir(mode=mode)
    monkeypatch.setenv("HOSTLER_RUNTIME_DIR", str(place / "run"))
    finding = found(in_user_mode(queues=("shop",)))["runtime directory"]
    place.chmod(0o700)
    assert finding.verdict is Verdict.BROKEN
    assert detail in finding.detail
    assert finding.remedy == "name another in HOSTLER_RUNTIME_DIR"


@unix
def test_a_session_that_has_ended_takes_its_directory_along(in_user_mode, monkeypatch, tmp_path):
    monkeypatch.delenv("HOSTLER_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "1000"))
    finding = found(in_user_mode())["runtime directory"]
    assert (finding.verdict, finding.detail) == (
        Verdict.BROKEN,
        f"{tmp_path / '1000' / 'hostler'} cannot be made: there is no {tmp_path / '1000'}",
    )


@unix
def test_who_serves_a_queue_is_said(in_user_mode):
    directory = QueueDirectory("Shop")
    handle = directory.open(QueueMode.CREATE)
    assert found(in_user_mode())["queue shop"].verdict is Verdict.WARNING
    listener, path = directory.bind_member(socket.SOCK_STREAM)
    finding = found(in_user_mode(queues=("Shop",)))["queue shop"]
    assert (finding.verdict, finding.detail) == (Verdict.OK, f"served by process {os.getpid()}")
    listener.close()
    directory.leave(path)
    handle.release()
    assert "queue shop" not in found(in_user_mode())


@unix
def test_a_directory_that_is_no_queue_is_passed_over(in_user_mode, tmp_path):
    for name in (b"a\xff", b"CON", b"a\nb"):
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/run/" + name))).mkdir(parents=True)
    (tmp_path / "run").chmod(0o700)
    assert [finding.verdict for finding in examine_queues(in_user_mode())] == [Verdict.OK]


@unix
def test_a_queue_that_nobody_holds_says_how_to_serve_it(in_user_mode):
    finding = found(in_user_mode(queues=("Shop", "a" * 100)))["queue Shop"]
    assert finding.verdict is Verdict.WARNING
    assert finding.remedy == "start what serves it, for one: hostler serve MODULE:APP --queue Shop"


@pytest.mark.parametrize(
    ("length", "platform", "verdict"),
    [
        (20, "darwin", None),
        (21, "darwin", Verdict.WARNING),
        (90, "darwin", Verdict.BROKEN),
        (90, "linux", None),
    ],
)
def test_a_path_that_leaves_no_room_for_sockets_is_said_where_that_matters(length, platform, verdict):
    path = Path("/" + "x" * (length - 1))
    assert [finding.verdict for finding in length_of_paths(path, platform)] == [verdict] * (
        verdict is not None
    )


@pytest.mark.skipif("sys.platform != 'win32'")
def test_windows_has_none_in_user_mode(in_user_mode):
    assert found(in_user_mode())["queues"].verdict is Verdict.MISSING


# -- in the kernel


def test_the_queues_of_the_document_are_looked_for(machine, on_windows, windows):
    create_queue(machine.process("other", user="bob"), "closed")
    mine = create_queue(windows, "open")
    findings = found(on_windows(queues=("open", "closed", "gone")))
    assert [findings[f"queue {name}"].verdict for name in ("open", "closed", "gone")] == [
        Verdict.OK,
        Verdict.BROKEN,
        Verdict.WARNING,
    ]
    assert "netsh http show servicestate view=requestq" in findings["queues"].remedy
    mine.close()
    for process in machine.processes:
        process.die()


def test_without_http_sys_there_are_none(in_user_mode):
    finding = found(evolve(in_user_mode(), server="httpsys"))["queues"]
    assert finding.verdict is Verdict.BROKEN
