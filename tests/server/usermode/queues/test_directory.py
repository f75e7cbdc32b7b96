from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hostler.errors import (
    NoSuchQueueError,
    QueueAccessError,
    QueueError,
    QueueExistsError,
    QueueNameError,
)
from hostler.server.base import QueueMode
from hostler.server.usermode.queues.directory import QueueDirectory, connect, runtime_directory
from hostler.server.usermode.queues.link import KIND

HOLDER = Path(__file__).with_name("queue_holder.py")
CREATE, ATTACH, EITHER = QueueMode.CREATE, QueueMode.ATTACH, QueueMode.CREATE_OR_ATTACH


@contextlib.contextmanager
def other_process(queue, mode, *more):
    """Another process that opens the queue; yields it and what came of that."""
    process = subprocess.Popen(
        [sys.executable, str(HOLDER), queue, mode.value, *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@contextlib.contextmanager
def held(queue="q", mode=CREATE):
    handle = QueueDirectory(queue).open(mode)
    try:
        yield handle
    finally:
        handle.release()


# -- who holds a queue ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("runtime")
class TestHolding:
    def test_a_queue_exists_while_it_is_held(self):
        directory = QueueDirectory("q")
        assert not directory.exists()
        with held():
            assert directory.exists()
        assert not directory.exists()

    def test_a_queue_is_created_once(self):
        with held(), pytest.raises(QueueExistsError, match="another process holds it"):
            QueueDirectory("q").open(CREATE)

    def test_a_queue_that_is_not_there_cannot_be_joined(self):
        with pytest.raises(NoSuchQueueError, match="start the process that creates it first"):
            QueueDirectory("q").open(ATTACH)

    def test_a_queue_that_is_there_can_be_joined(self):
        with held(), held(mode=ATTACH), held(mode=EITHER):
            assert QueueDirectory("q").exists()

    def test_a_queue_lives_as_long_as_its_last_holder(self):
        directory = QueueDirectory("q")
        first, second = directory.open(CREATE), directory.open(ATTACH)
        first.release()
        assert directory.exists()
        second.release()
        assert not directory.exists()
        with held(mode=EITHER):
            assert directory.exists()

    def test_letting_go_twice_lets_go_once(self):
        directory = QueueDirectory("q")
        handle = directory.open(CREATE)
        handle.release()
        with held():
            handle.release()
            assert directory.exists()

    def test_names_differ_by_more_than_case(self):
        with held("Reports"):
            assert QueueDirectory("REPORTS").exists()
            assert not QueueDirectory("reports2").exists()

    @pytest.mark.parametrize(
        ("mode", "result"), [(CREATE, "QueueExistsError"), (ATTACH, "held"), (EITHER, "held")]
    )
    def test_another_process_sees_a_queue_that_we_hold(self, mode, result):
        with held(), other_process("q", mode) as (_, said):
            assert said == result

    @pytest.mark.parametrize(
        ("mode", "result"), [(CREATE, "held"), (ATTACH, "NoSuchQueueError"), (EITHER, "held")]
    )
    def test_another_process_sees_that_nobody_holds_it(self, mode, result):
        with other_process("q", mode) as (_, said):
            assert said == result
            assert QueueDirectory("q").exists() is (result == "held")

    def test_a_killed_holder_holds_nothing(self):
        with other_process("q", CREATE, "member") as (process, _):
            directory = QueueDirectory("q")
            assert directory.exists()
            (left,) = directory.members()
            process.kill()
            process.wait()
            assert not directory.exists()
            with pytest.raises(NoSuchQueueError):
                directory.open(ATTACH)
            # and what it left is cleared away by the next
            with held():
                assert not left.exists()

    def test_one_of_many_creates_a_queue(self):
        with contextlib.ExitStack() as stack:
            said = [stack.enter_context(other_process("q", CREATE))[1] for _ in range(4)]
            assert sorted(said) == ["QueueExistsError"] * 3 + ["held"]

    def test_the_last_to_let_go_clears_the_queue_away(self, runtime):
        with held():
            assert (runtime / "q").is_dir()
        assert not (runtime / "q").exists()


# -- where queues are -------------------------------------------------------------------------------------------------


class TestRuntimeDirectory:
    @pytest.fixture(autouse=True)
    def places(self, tmp_path, monkeypatch):
        monkeypatch.delenv("HOSTLER_RUNTIME_DIR", raising=False)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        self.tmp, self.env = tmp_path, monkeypatch

    def test_it_is_what_hostler_runtime_dir_names(self):
        self.env.setenv("HOSTLER_RUNTIME_DIR", str(self.tmp / "a" / "b"))
        self.env.setenv("XDG_RUNTIME_DIR", str(self.tmp))
        assert runtime_directory() == self.tmp / "a" / "b"

    def test_else_it_is_in_xdg_runtime_dir(self):
        self.env.setenv("XDG_RUNTIME_DIR", str(self.tmp))
        assert runtime_directory() == self.tmp / "hostler"

    def test_else_it_is_this_users_in_the_temporary_directory(self):
        assert runtime_directory() == self.tmp / f"hostler-{os.geteuid()}"

    def test_it_is_nobody_elses_to_enter(self):
        made = runtime_directory()
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        old = os.umask(0)
        try:
            self.env.setenv("HOSTLER_RUNTIME_DIR", str(self.tmp / "open"))
            assert stat.S_IMODE(runtime_directory().stat().st_mode) == 0o700
            with held():
                assert stat.S_IMODE((self.tmp / "open" / "q").stat().st_mode) == 0o700
                assert stat.S_IMODE((self.tmp / "open" / "q" / "hold").stat().st_mode) == 0o600
        finally:
            os.umask(old)

    @pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
    def test_one_that_others_can_enter_is_refused(self, mode):
        runtime_directory().chmod(mode)
        with pytest.raises(QueueAccessError, match="HOSTLER_RUNTIME_DIR"):
            QueueDirectory("q")

    def test_a_link_is_refused_wherever_it_leads(self):
        real = self.tmp / "real"
        real.mkdir(mode=0o700)
        link = self.tmp / "link"
        link.symlink_to(real)
        self.env.setenv("HOSTLER_RUNTIME_DIR", str(link))
        with pytest.raises(QueueAccessError):
            QueueDirectory("q")

    def test_what_is_said_of_a_directory_for_everybody_does_not_have_it_removed(self):
        shared = self.tmp / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        self.env.setenv("HOSTLER_RUNTIME_DIR", str(shared))
        with pytest.raises(QueueAccessError) as caught:
            QueueDirectory("q")
        assert "remove" not in str(caught.value)
        remedy = f"name one inside it, which is made: HOSTLER_RUNTIME_DIR={shared}/hostler-{os.geteuid()}"
        assert str(caught.value).endswith(f": {remedy}")
        self.env.setenv("HOSTLER_RUNTIME_DIR", remedy.partition("=")[2])
        QueueDirectory("q")

    def test_what_is_said_of_a_directory_of_ours_that_is_open_mends_it(self):
        made = runtime_directory()
        made.chmod(0o755)
        with pytest.raises(
            QueueAccessError, match=f": chmod 700 {made}, or name another in HOSTLER_RUNTIME_DIR$"
        ):
            QueueDirectory("q")

    def test_a_queue_that_is_a_link_is_refused(self):
        made = runtime_directory()
        real = self.tmp / "real"
        real.mkdir(mode=0o700)
        (made / "q").symlink_to(real)
        with pytest.raises(QueueAccessError):
            QueueDirectory("q").open(CREATE)

    def test_one_of_another_user_is_refused(self):
        made = runtime_directory()
        if os.geteuid() == 0:
            os.chown(made, 4242, -1)
        else:
            self.env.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with pytest.raises(QueueAccessError, match="must be a directory of this user"):
            QueueDirectory("q")

    def test_a_file_in_its_place_is_refused(self):
        place = self.tmp / "file"
        place.write_text("")
        self.env.setenv("HOSTLER_RUNTIME_DIR", str(place))
        with pytest.raises(QueueError, match="HOSTLER_RUNTIME_DIR"):
            QueueDirectory("q")

    def test_an_xdg_runtime_dir_that_is_not_there_is_named(self):
        self.env.setenv("XDG_RUNTIME_DIR", str(self.tmp / "gone"))
        with pytest.raises(QueueError, match="gone"):
            QueueDirectory("q")


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize(
    "name",
    [
        "q",
        "a b",
        ".hidden",
        ".guard",
        "ünïcödé",
        "x" * 130,
        "é" * 130,
        "[a-z]",
        "-q",
        "~",
        "hold",
        "😀" * 65,
        "a'b",
    ],
)
def test_any_legal_name_works_and_is_kept_apart(name, runtime):
    directory = QueueDirectory(name)
    with held(name), held("another"):
        assert directory.path.parent == runtime
        listener, path = directory.bind_member(KIND)
        watch, watched = directory.bind_watch()
        with listener, watch:
            assert directory.members() == [path]
            link = connect(path, KIND)
            assert link is not None
            link.close()
            directory.poke()
            assert watch.recv(1) == b"\0"
        directory.leave(path)
        assert directory.members() == []
        assert not watched.exists()  # nobody was there to be poked
        assert QueueDirectory("another").members() == []


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("name", ["", "x" * 261, "a/b", "..", ".", "a\0b", "a\nb", "a\\b", "a*b"])
def test_an_illegal_name_is_refused(name):
    with pytest.raises(QueueNameError):
        QueueDirectory(name)


def test_long_names_that_differ_at_the_end_are_different_queues(runtime):
    with held("x" * 120 + "1"):
        assert not QueueDirectory("x" * 120 + "2").exists()
        assert QueueDirectory("X" * 120 + "1").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only /proc makes a long path short")
def test_a_directory_whose_path_is_longer_than_a_sockets_may_be_works(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    monkeypatch.setenv("HOSTLER_RUNTIME_DIR", str(deep))
    with held() as handle:
        listener, path = handle.directory.bind_member(KIND)
        watch, _ = handle.directory.bind_watch()
        with listener, watch:
            assert len(str(path)) > 200
            link = connect(path, KIND)
            link.close()
            handle.directory.poke()
            assert watch.recv(1) == b"\0"


# -- members and lenders ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("runtime")
class TestMembers:
    def test_a_member_can_be_connected_to_as_soon_as_it_is_seen(self):
        with held() as handle:
            listener, path = handle.directory.bind_member(KIND)
            with listener:
                link = connect(path, KIND)
                accepted, _ = listener.accept()
                with link, accepted:
                    link.send(b"hello")
                    assert accepted.recv(10) == b"hello"
                    assert not link.getblocking()

    def test_members_of_one_process_are_different(self):
        with held() as handle:
            made = [handle.directory.bind_member(KIND) for _ in range(3)]
            assert len(handle.directory.members()) == 3
            for listener, _ in made:
                listener.close()

    def test_a_dead_member_is_cleared_away_by_who_finds_it(self):
        with held() as handle:
            listener, path = handle.directory.bind_member(KIND)
            listener.close()
            assert connect(path, KIND) is None
            assert handle.directory.members() == []
            assert connect(path, KIND) is None

    def test_a_member_whose_backlog_is_full_is_there_all_the_same(self):
        with held() as handle, contextlib.ExitStack() as stack:
            listener, path = handle.directory.bind_member(KIND)
            stack.enter_context(listener)
            listener.listen(0)
            while (link := connect(path, KIND)) is not None:
                stack.enter_context(link)
            assert handle.directory.members() == [path]

    def test_lenders_are_poked_when_members_come_and_go_and_holders_let_go(self):
        handle = QueueDirectory("q").open(CREATE)
        watch, _ = handle.directory.bind_watch()
        with watch:
            other = QueueDirectory("q").open(ATTACH)
            assert watch.recv(10) == b"\0"
            listener, path = handle.directory.bind_member(KIND)
            assert watch.recv(10) == b"\0"
            with listener:
                handle.directory.leave(path)
            assert watch.recv(10) == b"\0"
            other.release()
            assert watch.recv(10) == b"\0"
            handle.release()
            assert watch.recv(10) == b"\0"

    def test_a_lender_that_has_pokes_enough_holds_nobody_up(self):
        with held() as handle:
            watch, path = handle.directory.bind_watch()
            with watch:
                for _ in range(2000):
                    handle.directory.poke()
                assert path.exists()

    def test_a_lender_that_is_gone_is_forgotten(self):
        with held() as handle:
            watch, path = handle.directory.bind_watch()
            watch.close()
            handle.directory.poke()
            assert not path.exists()

    def test_a_queue_that_is_not_there_has_no_members(self):
        directory = QueueDirectory("never")
        assert directory.members() == []
        directory.poke()

    def test_sockets_do_not_outlive_a_program_that_is_replaced(self):
        with held() as handle:
            listener, _ = handle.directory.bind_member(socket.SOCK_STREAM)
            with listener:
                assert not listener.get_inheritable()
            assert not os.get_inheritable(handle._descriptor)
