"""Every block of README.md and docs/ is executed, and every link leads somewhere. CONTRIBUTING.md says how."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import fields

from hostler import cli
from hostler.checking import find_problems
from hostler.config import yarp
from hostler.errors import ConfigError
from hostler.server.httpsys.api import HttpApi
from hostler.server.httpsys.constants import ServerProperty
from hostler.server.options.httpsys import HttpSysOptions
from hostler.windows.constants import ErrorCode
from tests.documentation import (
    LANGUAGES,
    MARKS,
    ROOT,
    TIMEOUT,
    Page,
    Program,
    environment,
    pages,
    pattern,
    shell,
)

WRITTEN_BY_A_PROGRAM = {"docs/benchmarks.md"}
LINK = re.compile(r"(?<!`)\[[^\]\[]*\]\((?P<target>[^)\s]+)\)")
NAME = re.compile(r"`(hostler(?:\.\w+)+)`")
THUMBPRINT = re.compile(r"\$\w+\.Thumbprint")
COMMAND = re.compile(
    r"(?:(?:^|[ /\\=])hostler(?:\.exe)? |<arguments>)(?P<arguments>(?:run|check|config|serve|demo|doctor|url|cert)\b[^<\n]*)",
    re.MULTILINE,
)
LOGGER = re.compile(r'getLogger\("([\w.]+)"\)')


def ids(path):
    return path.relative_to(ROOT).as_posix()


EXECUTED = [path for path in pages() if ids(path) not in WRITTEN_BY_A_PROGRAM]


# -- executing a page -------------------------------------------------------------------------------------------------


class Reader:
    """Somebody who does what a page says, from top to bottom, in one directory."""

    def __init__(self, page, directory):
        self.page = page
        self.directory = directory
        self.programs = []
        shutil.copytree(
            ROOT / "examples", directory / "examples", ignore=shutil.ignore_patterns("__pycache__")
        )
        for path in filter(Path.is_file, (directory / "examples").rglob("*")):
            path.write_text(page.with_free_ports(path.read_text()))

    def read(self, block):
        if "file" in block.marks:
            path = self.directory / block.marks["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.page.with_free_ports(block.text))
        if "not run" in block.marks:
            assert block.marks["not run"], f"{block.place}: say why it is not run"
        else:
            getattr(self, f"read_{block.language}")(block)

    def read_python(self, block):
        check_names(block)
        if "same as" in block.marks:
            text = (ROOT / block.marks["same as"]).read_text()
            assert block.text == text, f"{block.place} differs from {block.marks['same as']}"
        elif not {"file", "fragment"} & block.marks.keys():
            done = subprocess.run(
                [sys.executable, "-c", self.page.with_free_ports(block.text)],
                cwd=self.directory,
                env=environment(self.directory),
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), f"{block.place}\n{done.stderr}"

    def read_json(self, block):
        try:
            config = yarp.loads(block.text)
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(self.directory)
                patch.syspath_prepend(self.directory)  # where the page wrote the modules of its policies
                problems = find_problems(config)
        except ConfigError as error:
            problems = error.problems
        assert bool(problems) == ("refused" in block.marks), f"{block.place}: {problems}"

    def read_console(self, block):
        commands = block.commands()
        assert commands, f"{block.place}: no line begins with a prompt"
        if "keeps running" in block.marks:
            ((command, output),) = commands
            program = Program(self.page.with_free_ports(command), self.directory)
            self.programs.append((block.place, output, program))
            program.says(pattern(self.page.with_free_ports(output.partition("\n")[0])))
            return
        for command, output in commands:
            status, said = shell(self.page.with_free_ports(command), self.directory)
            said = self.page.with_written_ports(said)
            assert pattern(output).fullmatch(said.rstrip() + "\n"), f"{block.place}: {command}\n{said}"
            assert bool(status) == ("refused" in block.marks), f"{block.place}: {command} ended with {status}"

    read_powershell = read_console

    def read_sh(self, block):
        status, said = shell(self.page.with_free_ports(block.text), self.directory)
        assert status == 0, f"{block.place}: {said}"

    def read_ini(self, block):
        """Read data."""

    read_text = read_csharp = read_xml = read_ini

    def close(self):
        """Stop what keeps running, the last first, and compare what it said."""
        for place, output, program in reversed(self.programs):
            assert program.stop() == 0, f"{place}: {program.output}"
            said = self.page.with_written_ports(program.output)
            assert pattern(output).match(said), f"{place}: {program.command}\n{said}"


def check_names(block):
    """Compile a block, and find what it takes from hostler."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
    for node in ast.walk(compile(block.text, block.place, "exec", flags)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "hostler":
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name), f"{block.place}: {node.module} has no {alias.name}"
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "hostler"
        ):
            assert hasattr(importlib.import_module("hostler"), node.attr), (
                f"{block.place}: hostler.{node.attr}"
            )


@pytest.mark.parametrize("path", EXECUTED, ids=ids)
def test_what_a_page_says_happens(path, tmp_path):
    page = Page(path)
    reader = Reader(page, tmp_path)
    with ExitStack() as stack:
        try:
            for block in page.blocks():
                reader.read(block)
        finally:
            for *_, program in reader.programs:
                stack.enter_context(program)
        reader.close()


# -- what need not be executed to be checked --------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXECUTED, ids=ids)
def test_blocks_are_well_formed(path):
    page = Page(path)
    blocks = page.blocks()
    assert len(re.findall(r"^\s*```", page.text, re.MULTILINE)) == 2 * len(blocks), (
        "a fence is indented or open"
    )
    commands = "\n".join(
        block.text for block in blocks if block.language in {"console", "powershell", "sh", "ini"}
    )
    for block in blocks:
        assert block.language in LANGUAGES, f"{block.place}: what is {block.language!r}?"
        assert block.marks.keys() <= MARKS, f"{block.place}: {block.marks}"
        if "file" in block.marks:
            name = block.marks["file"].rpartition("/")[2]
            used = name in commands or f"{name.removesuffix('.py')}:" in commands
            assert used, f"{block.place}: no command uses {name}"


@pytest.mark.parametrize("path", EXECUTED, ids=ids)
def test_commands_that_are_not_run_are_commands(path):
    for block in Page(path).blocks():
        if block.language in {"ini", "xml"} or "not run" in block.marks:
            for found in COMMAND.finditer(block.text):
                arguments = THUMBPRINT.sub("00" * 20, found["arguments"])
                cli._parser().parse_args(shlex.split(arguments, comments=True))


@pytest.mark.parametrize("path", sorted({*pages(), *ROOT.glob("*.md")}), ids=ids)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for found in LINK.finditer(text):
        name, _, anchor = found["target"].partition("#")
        if "://" in name:
            continue
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{path.name} links to {found['target']}"
        if anchor:
            assert anchor in anchors(target), f"{path.name} links to {found['target']}"


def anchors(path):
    """Name the headings of a page as GitHub does."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", EXECUTED, ids=ids)
def test_names_exist(path):
    sources = (path.read_text() for path in (ROOT / "src").rglob("*.py"))
    loggers = {name for source in sources for name in LOGGER.findall(source)}
    for name in NAME.findall(path.read_text(encoding="utf-8")):
        assert name in loggers or exists(name), f"there is no {name}"


def exists(dotted):
    """Tell whether a dotted name leads to a module, or to something in one."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def test_every_page_is_in_the_map():
    index = (ROOT / "docs" / "index.md").read_text()
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "index.md" or f"({path.name})" in index


def test_the_options_of_the_command_are_the_ones_that_are_documented():
    text = (ROOT / "docs" / "operations.md").read_text()
    sections = dict(re.findall(r"^### hostler ([\w-]+)\n(.*?)(?=^###)", text, re.MULTILINE | re.DOTALL))
    (commands,) = (action.choices for action in cli._parser()._actions if action.choices)
    assert sections.keys() == commands.keys()
    for name, parser in commands.items():
        parser.add_options()
        options = {option for option in options_of(parser) if option.startswith("--")} - {"--help"}
        assert set(re.findall(r"--[a-z-]+", sections[name])) == options, name


def options_of(parser):
    """List the options of a command, those of its actions among them."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(*map(options_of, action.choices.values()))
    return found


def test_the_loggers_are_the_ones_that_are_documented():
    """A logger is in the table, or one above it is; `hostler.stages.a`, `b` is two of them."""
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| (`hostler\..*?) \|", text, re.MULTILINE)
    documented = set()
    for row in rows:
        first, *others = re.findall(r"`(.*?)`", row)
        documented |= {
            first,
            *(other if "." in other else f"{first.rpartition('.')[0]}.{other}" for other in others),
        }
    sources = (path.read_text() for path in (ROOT / "src" / "hostler").rglob("*.py"))
    used = {name for source in sources for name in re.findall(r'getLogger\("(hostler\..*?)"\)', source)}
    assert documented - used == set()
    assert [name for name in used if not any(f"{name}.".startswith(f"{one}.") for one in documented)] == []


def test_the_options_of_httpsys_are_the_ones_that_are_documented():
    text = (ROOT / "docs" / "httpsys-options.md").read_text()
    options = text.partition("\n##")[0]
    assert re.findall(r"^\| `(\w+)` \|", options, re.MULTILINE) == [
        option.name for option in fields(HttpSysOptions)
    ]


def test_windows_error_codes_have_their_numbers():
    text = (ROOT / "docs" / "httpsys.md").read_text()
    codes = re.findall(r"`(ERROR_\w+)` \((\d+)\)", text)
    assert codes
    for name, number in codes:
        assert ErrorCode[name] == int(number)


def test_the_functions_that_are_bound_are_the_ones_that_are_listed():
    text = (ROOT / "docs" / "httpsys-verified.md").read_text()
    folder = ROOT / "src" / "hostler" / "server" / "httpsys"
    sources = "".join(path.read_text() for path in folder.rglob("*.py") if path.name != "api.py")
    bound = [name for name in vars(HttpApi) if name.startswith("Http")]
    called = ["yes" if re.search(rf"\.{name}\b", sources) else "" for name in bound]
    assert re.findall(r"^\| `(Http\w+)` \| (\w*) ?\|", text, re.MULTILINE) == [
        *zip(bound, called, strict=True)
    ]
    assert f"| **{len(bound)}** | **{called.count('yes')}** |" in text
    properties = re.findall(r"^\| \w+ \| (\d+) \|(?:[^|]*\|){3}$", text, re.MULTILINE)
    assert [int(number) for number in properties] == [*ServerProperty]


def test_the_commands_for_a_clone_exist():
    known = runpy.run_path(str(ROOT / "bootstrap.py"))["COMMANDS"]
    sessions = re.findall(
        r"^@nox\.session.*\n(?:@.*\n)*def (\w+)", (ROOT / "noxfile.py").read_text(), re.MULTILINE
    )
    for path in [*pages(), ROOT / "CONTRIBUTING.md"]:
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"bootstrap\.py (\w+)", text)) <= known.keys(), path
        assert set(re.findall(r"nox -s (\w+)", text)) <= set(sessions), path


def test_bootstrap_says_how_a_shell_finds_the_command(capsys):
    bootstrap = runpy.run_path(str(ROOT / "bootstrap.py"))
    bootstrap["tell_where_the_command_is"]()
    said = capsys.readouterr().err
    assert f"the command is {bootstrap['BIN'] / 'hostler'}" in said
    assert "ctivate" in said
