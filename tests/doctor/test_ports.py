"""URL prefixes: whether they can be listened on, and who has their port."""

import os
import socket
import subprocess
import sys
from urllib.parse import quote

import pytest
from attrs import evolve

from hostler.doctor.finding import Verdict
from hostler.doctor.holders import Holder, holders_of, holders_of_path
from hostler.doctor.ports import examine_ports
from hostler.server.usermode import listening
from tests.server.httpsys.model.program import Program


def one(context):
    (finding,) = examine_ports(context)
    return finding


@pytest.fixture
def taken():
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


# -- in user mode


def test_a_prefix_that_is_free_can_be_listened_on_and_is_free_afterwards(in_user_mode):
    port = free_port()
    assert one(in_user_mode(f"http://127.0.0.1:{port}/")).verdict is Verdict.OK
    socket.create_server(("127.0.0.1", port)).close()


def test_any_free_port_is_always_there(in_user_mode):
    assert one(in_user_mode("http://localhost:0/")).detail == "takes any port that is free"


def test_who_has_a_port_is_said(in_user_mode, taken):
    finding = one(in_user_mode(f"http://127.0.0.1:{taken}/"))
    assert finding.verdict is Verdict.BROKEN
    if sys.platform == "linux":
        assert f"port {taken} is taken by process " in finding.detail
    assert one(in_user_mode(f"http://127.0.0.1:{taken}/", document="")).verdict is Verdict.WARNING


@pytest.mark.skipif("sys.platform != 'linux'")
def test_hostler_itself_is_no_trouble(in_user_mode, taken, monkeypatch):
    holder = Holder(7, "hostler", is_hostler=True)
    monkeypatch.setattr("hostler.doctor.ports.holders_of", lambda port, windows: (holder,))
    finding = one(in_user_mode(f"http://127.0.0.1:{taken}/"))
    assert finding.verdict is Verdict.OK
    assert finding.detail == f"hostler listens on port {taken} already: process 7 (hostler)"


def test_a_port_of_which_nobody_knows_the_holder(in_user_mode, taken, monkeypatch):
    monkeypatch.setattr("hostler.doctor.ports.holders_of", lambda port, windows: ())
    finding = one(in_user_mode(f"http://127.0.0.1:{taken}/"))
    assert finding.detail == f"port {taken} is in use; stop the program that has it, or choose another port"


def test_what_cannot_be_listened_on_says_why(in_user_mode):
    finding = one(in_user_mode("http://192.0.2.1:80/"))
    assert finding.verdict is Verdict.BROKEN
    assert finding.detail.startswith("192.0.2.1 is no address of this machine")


@pytest.fixture
def socket_at(tmp_path):
    """A Unix socket that is bound to a path, and the URL prefix of it."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        yield sock, path, f"http+unix://{quote(str(path), safe='')}/"


on_linux = pytest.mark.skipif("sys.platform != 'linux'")


@on_linux
def test_a_socket_that_nobody_listens_on_is_left_to_the_server_to_replace(in_user_mode, socket_at):
    sock, path, url = socket_at
    sock.close()
    before = path.stat()
    finding = one(in_user_mode(url))
    assert finding.verdict is Verdict.OK
    assert finding.detail == "can be listened on"
    assert path.stat() == before


@on_linux
def test_who_listens_on_a_unix_socket_is_said(in_user_mode, socket_at):
    sock, path, url = socket_at
    sock.listen()
    finding = one(in_user_mode(url))
    assert finding.verdict is Verdict.BROKEN
    assert finding.detail.startswith(f"{path} is taken by process {os.getpid()} (")
    assert finding.remedy == "stop that program, or choose another path"


@on_linux
def test_hostler_itself_on_a_unix_socket_is_no_trouble(in_user_mode, socket_at, monkeypatch):
    sock, path, url = socket_at
    sock.listen()
    monkeypatch.setattr("hostler.doctor.holders._is_hostler", lambda process: True)
    finding = one(in_user_mode(url))
    assert finding.verdict is Verdict.OK
    assert finding.detail == f"hostler listens on {path} already: process {os.getpid()} (hostler)"


# -- in the kernel


def test_what_the_user_may_register_can_be_listened_on(machine, on_windows):
    machine.reserve({"http://+:80/": {"ann"}})
    assert one(on_windows("http://+:80/")).verdict is Verdict.OK
    assert machine.registry.registrations == {}


def test_what_the_user_may_not_register_says_how_to_reserve_it(machine, on_windows):
    machine.reserve({})
    finding = one(on_windows("http://+:80/"))
    assert finding.verdict is Verdict.BROKEN
    assert finding.remedy == "once, as an administrator: hostler url reserve http://+:80/ --user NAME"


def test_what_another_program_on_http_sys_has_may_be_the_server_itself(machine, on_windows):
    other = Program(machine, urls=("http://+:80/",))
    finding = one(on_windows("http://+:80/"))
    assert finding.verdict is Verdict.WARNING
    assert "netsh http show servicestate view=requestq" in finding.remedy
    machine.kill(other.windows)


def test_what_another_program_has_is_said(machine, on_windows, windows):
    machine.sockets = [("0.0.0.0", 80, 7, "C:\\nginx\\nginx.exe")]
    windows.fail("HttpAddUrlToUrlGroup", 32)
    finding = one(on_windows("http://+:80/"))
    assert (finding.verdict, finding.detail) == (Verdict.BROKEN, "port 80 is taken by process 7 (nginx.exe)")


def test_without_http_sys_nothing_can_be_listened_on(in_user_mode):
    finding = one(evolve(in_user_mode("http://+:80/"), server="httpsys"))
    assert (finding.verdict, finding.detail) == (
        Verdict.BROKEN,
        "there is no HTTP.sys to listen: this is a test",
    )


# -- who it is


@pytest.mark.skipif("sys.platform != 'linux'")
def test_a_process_is_found_by_its_port():
    program = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        (holder,) = holders_of(int(process.stdout.readline()))
        process.communicate("\n")
    assert (holder.process, holder.is_hostler) == (process.pid, False)
    assert "python" in holder.program


def table(*rows):
    return "head\n" + "".join(f"0: {row}\n" for row in rows)


def test_what_another_user_has_is_nobodys_to_see(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(
        table(
            "0100007F:0050 00000000:0000 0A 0:0 0:0 0 33 0 4711 1",
            "0100007F:0050 0100007F:1234 01 0:0 0:0 0 44 0 4712 1",
            "0100007F:0051 00000000:0000 0A 0:0 0:0 0 55 0 4713 1",
        )
    )
    (holder,) = holders_of(80, proc=tmp_path)
    assert str(holder) == "a process of user 33, which this user may not look at"
    assert holders_of(82, proc=tmp_path) == ()


def test_the_command_hostler_is_known_by_its_name(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp6").write_text(table(f"{'0' * 32}:0050 {'0' * 32}:0000 0A 0:0 0:0 0 0 0 4711 1"))
    for process, words in (("7", ["python", "/x/bin/hostler", "run"]), ("8", ["nginx", "-g", "hostler;"])):
        (tmp_path / process / "fd").mkdir(parents=True)
        (tmp_path / process / "fd" / "3").symlink_to("socket:[4711]")
        (tmp_path / process / "cmdline").write_text("\0".join(words))
        (tmp_path / process / "comm").write_text(f"{words[0]}\n")
    (tmp_path / "9" / "fd").mkdir(parents=True)
    (tmp_path / "9" / "fd" / "3").symlink_to("socket:[4711]")
    assert {str(holder): holder.is_hostler for holder in holders_of(80, proc=tmp_path)} == {
        "process 7 (hostler)": True,
        "process 8 (nginx)": False,
        "process 9 (a program that has ended)": False,
    }


def test_a_worker_is_known_by_its_supervisor(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(table("0100007F:0050 00000000:0000 0A 0:0 0:0 0 0 0 4711 1"))
    worker = ["python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()"]
    for process, parent, words in (
        ("7", "1", ["python", "-m", "hostler", "serve"]),
        ("8", "7", worker),
        ("9", "1", worker),
        ("10", "7", ["nginx"]),
    ):
        (tmp_path / process / "fd").mkdir(parents=True)
        (tmp_path / process / "fd" / "3").symlink_to("socket:[4711]")
        (tmp_path / process / "cmdline").write_text("\0".join(words))
        (tmp_path / process / "comm").write_text(f"{words[0]}\n")
        (tmp_path / process / "stat").write_text(f"{process} (a ) b) S {parent} 1 1")
    assert {str(holder) for holder in holders_of(80, proc=tmp_path) if holder.is_hostler} == {
        "process 7 (hostler)",
        "process 8 (hostler)",
    }


@pytest.mark.skipif("sys.platform != 'linux'")
def test_a_server_that_starts_meanwhile_gets_the_port(in_user_mode, monkeypatch):
    port, started, bind = free_port(), [], listening.bind

    def start_a_server_meanwhile(*args, **more):
        result = bind(*args, **more)
        with socket.create_server(("127.0.0.1", port)) as server:
            started.append(server.getsockname()[1])
        return result

    monkeypatch.setattr(listening, "bind", start_a_server_meanwhile)
    assert one(in_user_mode(f"http://127.0.0.1:{port}/")).verdict is Verdict.OK
    assert started == [port]


def test_who_has_a_unix_socket_is_found_by_its_path_and_by_its_listening(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "unix").write_text(
        "Num RefCount Protocol Flags Type St Inode Path\n"
        "0: 00000002 00000000 00010000 0001 01 4711 /run/a b\n"
        "0: 00000003 00000000 00000000 0001 03 4712 /run/a b\n"
        "0: 00000002 00000000 00010000 0001 01 4713 /run/a\n"
        "0: 00000002 00000000 00000000 0002 01 4714\n"
    )
    for process, inode in (("7", "4711"), ("8", "4712"), ("9", "4713")):
        (tmp_path / process / "fd").mkdir(parents=True)
        (tmp_path / process / "fd" / "3").symlink_to(f"socket:[{inode}]")
        (tmp_path / process / "comm").write_text("nginx\n")
    assert [str(holder) for holder in holders_of_path("/run/a b", tmp_path)] == ["process 7 (nginx)"]
    assert holders_of_path("/run/b", tmp_path) == ()


def test_where_there_is_no_such_directory_nobody_is_found(tmp_path):
    assert holders_of_path("/run/a", tmp_path) == ()
    assert holders_of(80, proc=tmp_path) == ()


def test_on_windows_the_kernel_says_so(machine, windows):
    machine.sockets = [
        ("0.0.0.0", 80, 7, "C:\\nginx.exe"),
        ("::", 80, 7, "C:\\nginx.exe"),
        ("::1", 80, 8, ""),
    ]
    assert [str(holder) for holder in holders_of(80, windows)] == [
        "process 7 (nginx.exe)",
        "process 8 (a program that this user may not look at)",
    ]
