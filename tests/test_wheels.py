"""What is built of an unpacked sdist, with a C compiler and without: tags, contents, and that what is installed runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

from hostler.http import heads

NAME = f"hostler-{version('hostler')}"
ROOT = Path(__file__).parents[1]
REQUIRED = os.environ.get("HOSTLER_REQUIRE_COMPILED") == "1"
NO_COMPILER = {"CC": "/nonexistent/cc"}
PYPY = "import sys; sys.implementation.name = 'pypy'"
FREE_THREADED = "import sysconfig; sysconfig.get_config_vars()['Py_GIL_DISABLED'] = 1"
WHICH = "import hostler; from hostler.http import heads; print(hostler.__file__, heads.COMPILED)"

pytestmark = [
    pytest.mark.timeout(120),  # each builds once or twice, in a process
    pytest.mark.skipif(sys.platform == "win32", reason="the environment variable CC is not MSVC's"),
]
needs_compiler = pytest.mark.skipif(
    not (heads.COMPILED or REQUIRED), reason="hostler was installed here without a C compiler"
)


def build(what, tree, into, before="pass", **environment):
    """Build a wheel or an sdist with what the tests have installed; return what the process ended with."""
    into.mkdir(exist_ok=True)
    program = f"{before}; from hatchling.build import build_{what}; build_{what}({str(into)!r})"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=tree,
        env={**os.environ, "HOSTLER_PURE": "0", "HOSTLER_REQUIRE_COMPILED": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The source tree that an sdist of this one unpacks to."""
    folder = tmp_path_factory.mktemp("sdist")
    clone = folder / "clone"
    left_out = shutil.ignore_patterns(".git", ".venv", ".nox", ".*_cache", "__pycache__", "*.so", "*.pyd")
    shutil.copytree(ROOT, clone, ignore=left_out)
    (clone / "src" / "hostler" / "http" / "_heads.abi3.so").write_bytes(b"of another machine")
    assert build("sdist", clone, folder / "dist").returncode == 0
    (archive,) = (folder / "dist").iterdir()
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    return folder / archive.name.removesuffix(".tar.gz")


def install(wheel, folder):
    """Install a wheel into a folder, without its dependencies."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", folder, wheel], check=True, capture_output=True)


def installed_there(folder):
    """Return which hostler a program finds that looks in the folder first, and whether it is compiled."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "HOSTLER_PURE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", WHICH], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def contents(wheel):
    """Return the names in a wheel, which has what every wheel of hostler has, and its WHEEL file."""
    with ZipFile(wheel) as opened:
        names = sorted(opened.namelist())
        metadata = opened.read(f"{NAME}.dist-info/WHEEL").decode()
    assert {"hostler/__init__.py", "hostler/py.typed", f"{NAME}.dist-info/licenses/LICENSE"} <= {*names}
    suffixes = {name.rpartition(".")[2] for name in names if name.startswith("hostler/")}
    assert suffixes <= {"py", "pyi", "so", "typed"}
    return names, metadata


@needs_compiler
def test_a_wheel_has_the_compiled_part_where_there_is_a_compiler(tree, tmp_path):
    done = build("wheel", tree, tmp_path / "dist", HOSTLER_REQUIRE_COMPILED="1")
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    assert wheel.name.startswith(f"{NAME}-cp311-abi3-")
    names, metadata = contents(wheel)
    assert [name for name in names if "_heads." in name] == [
        "hostler/http/_heads.abi3.so",
        "hostler/http/_heads.pyi",
    ]
    assert "Root-Is-Purelib: false" in metadata
    assert not list(tree.rglob("*.so"))
    installed = tmp_path / "installed"
    install(wheel, installed)
    assert installed_there(installed) == [str(installed / "hostler" / "__init__.py"), "True"]


@pytest.mark.parametrize(
    ("before", "environment", "reason"),
    [
        ("pass", NO_COMPILER, "/nonexistent/cc"),
        ("pass", {"HOSTLER_PURE": "1"}, "HOSTLER_PURE is set"),
        (PYPY, {}, "pypy has no stable ABI"),
        (FREE_THREADED, {}, "a free-threaded Python loads no modules of the stable ABI"),
    ],
)
def test_a_wheel_is_pure_where_nothing_can_be_compiled(tree, tmp_path, before, environment, reason):
    done = build("wheel", tree, tmp_path / "dist", before, **environment)
    assert done.returncode == 0, done.stderr
    assert "hostler is built without its compiled part: " in done.stderr
    assert reason in done.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    assert wheel.name == f"{NAME}-py3-none-any.whl"
    names, metadata = contents(wheel)
    assert [name for name in names if "_heads." in name] == ["hostler/http/_heads.pyi"]
    assert "Root-Is-Purelib: true" in metadata
    installed = tmp_path / "installed"
    install(wheel, installed)
    assert installed_there(installed) == [str(installed / "hostler" / "__init__.py"), "False"]


def test_a_build_that_must_compile_fails_where_it_cannot(tree, tmp_path):
    done = build("wheel", tree, tmp_path / "dist", **NO_COMPILER, HOSTLER_REQUIRE_COMPILED="1")
    assert done.returncode != 0
    assert "/nonexistent/cc" in done.stderr
    assert not list((tmp_path / "dist").iterdir())


@needs_compiler
def test_an_editable_install_compiles_in_place(tree, tmp_path):
    clone = shutil.copytree(tree, tmp_path / "clone")
    place = clone / "src" / "hostler" / "http"
    assert build("editable", clone, tmp_path / "one", HOSTLER_REQUIRE_COMPILED="1").returncode == 0
    assert [path.name for path in place.glob("*.so")] == ["_heads.abi3.so"]
    assert build("editable", clone, tmp_path / "two", **NO_COMPILER).returncode == 0
    assert not list(place.glob("*.so"))


@pytest.mark.skipif(not REQUIRED, reason="HOSTLER_REQUIRE_COMPILED=1 is not set, as it is in CI")
def test_these_tests_run_on_the_compiled_part():
    assert heads.COMPILED
