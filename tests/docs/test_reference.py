"""The documentation against the code: generated pages, command lines, links, environment variables."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import click
import docs_reference
import pytest

from mmlock.cli.export import KINDS
from mmlock.cli.main import mmlock
from mmlock.core.environment_variables import VARIABLES, Reader, variable

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "resolver" / "mmlock"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def _id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ---------------------------------------------------------------- generated pages


@pytest.mark.parametrize("name", docs_reference.PAGES)
def test_a_committed_reference_page_is_what_the_code_gives_now(name: str) -> None:
    path = docs_reference.FOLDER / name
    assert path.read_text(encoding="utf-8") == docs_reference.page(name), (
        "run `python scripts/docs_reference.py`"
    )


def test_every_page_of_the_reference_is_made_by_the_generator() -> None:
    assert {path.name for path in docs_reference.FOLDER.glob("*.md")} == set(docs_reference.PAGES)


def test_every_verb_has_its_json_in_the_reference() -> None:
    told = {
        verb
        for row in docs_reference.page("json.md").splitlines()
        for verb in re.findall(r"^\| `([^`]+)`", row)
    }
    heads = {
        " ".join(word for word in verb.split() if word.islower() and not word.startswith("-"))
        for verb in told
    }
    root = click.Context(mmlock, **mmlock.context_settings)
    leaves = set()
    for verb in mmlock.list_commands(root):
        command = mmlock.get_command(root, verb)
        assert command is not None
        below = command.list_commands(root) if isinstance(command, click.Group) else [""]
        leaves |= {f"{verb} {word}".strip() for word in below}
    assert heads == leaves - {
        "run",
        "graph",
        "serve",
        "worker",
    }  # the text below the table says what these print


# ---------------------------------------------------------------- command lines


def _blocks(text: str) -> Iterator[str]:
    """The lines of code blocks, fenced or indented; a `\\` at the end joins the next one."""
    fenced, held = False, ""
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if fenced or line.startswith("    "):
            held += line.strip()
            if held.endswith("\\"):
                held = held[:-1]
                continue
            yield held
            held = ""


def _commands(line: str) -> Iterator[list[str]]:
    """The calls of mmlock in a line of a shell: after `$`, pipes and `&&`; without redirections."""
    try:
        words = shlex.split(line.removeprefix("$ "), comments=True)
    except ValueError:  # a line of a text with an apostrophe
        words = []
    call: list[str] = []
    for word in [*words, "|"]:
        if word not in {"|", "||", "&&", ";"}:
            call.append(word)
            continue
        ends = [
            place for place, one in enumerate(call) if re.match(r"\d?>", one) and not one.startswith(">=")
        ]
        call = call[: min(ends, default=len(call))]
        while call and re.fullmatch(r"[A-Z_]+=.*", call[0]):
            call = call[1:]
        if call and call[0].rpartition("/")[2] == "mmlock":
            yield call[1:]
        call = []


def _usages(text: str) -> set[str]:
    """The lines of the reference that show how a verb is called: placeholders, no command."""
    return set(re.findall(r"^mmlock .*\[OPTIONS\].*$", text, re.MULTILINE))


def _parse(args: list[str], *, whole: bool) -> None:
    """Parse as mmlock would, and execute nothing. `whole`: every argument must be there."""
    command: click.Command = mmlock
    settings = mmlock.context_settings
    name, parent = "mmlock", click.Context(mmlock, **settings, obj=SimpleNamespace(as_json=False))
    if args[:1] == ["--server"]:  # of mmlock itself, before the verb
        args = args[2:] or ["--help"]
    while isinstance(command, click.Group):
        if not args or args[0] in {"--help", "-h", "--version"}:
            assert not whole or args, f"`{name}` alone only shows its help"
            return
        below = command.get_command(parent, args[0])
        assert below is not None, f"`{name}` has no verb `{args[0]}`"
        command, name, args = below, f"{name} {args[0]}", args[1:]
    try:
        with command.make_context(name, list(args), parent=parent) as ctx:
            assert "mmlock.renamed" not in ctx.meta, "an option under its former name"
            kind = ctx.params.get("kind") if name == "mmlock export" else None
            assert kind is None or kind in KINDS or kind.isupper(), f"no kind of export: {kind}"
            assert not whole or name != "mmlock run" or ctx.meta["mmlock.command"], "no command to run"
    except click.exceptions.Exit:
        return
    except click.MissingParameter:
        if whole:
            raise


@pytest.mark.parametrize("path", PAGES, ids=_id)
def test_every_command_line_of_a_page_is_one_that_mmlock_takes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    usages, wrong = _usages(text), []
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`(mmlock [^`]+)`", outside)]
    lines = [(line, True) for line in _blocks(text) if line not in usages]
    # Completion runs `mmlock` itself, with a variable that says what for.
    lines = [(line, whole) for line, whole in lines if not line.startswith("_MMLOCK_COMPLETE=")]
    for line, whole in [*lines, *((span, False) for span in spans)]:
        for args in _commands(line):
            try:
                _parse(args, whole=whole)
            except (click.ClickException, AssertionError) as error:
                wrong.append(f"{line}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "mmlock sovle --gpu cpu",
        "mmlock solve --gpus cpu",
        "mmlock why",
        "$ cat log | mmlock doctor --lok x",
        "mmlock export wheel",
        "mmlock run lock",
        "mmlock verdict",
        "mmlock build --jobs many",
        "make docs && mmlock matrix lint extra",
    ],
)
def test_a_command_line_that_mmlock_refuses_is_seen(line: str) -> None:
    [args] = _commands(line)
    with pytest.raises((click.ClickException, AssertionError)):
        _parse(args, whole=True)


def test_the_pages_hold_command_lines() -> None:
    count = sum(
        len(list(_commands(line))) for path in PAGES for line in _blocks(path.read_text(encoding="utf-8"))
    )
    assert count > 100


# ---------------------------------------------------------------- links


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "lockfiles" / "README.md"], ids=_id)
def test_every_relative_link_leads_to_a_file(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", text))
    relative = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link)]
    missing = [link for link in relative if link and not (path.parent / link).exists()]
    assert not missing


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if not re.search(rf"[ \[]{re.escape(page)}\b", navigation)} == set()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 100


# ---------------------------------------------------------------- environment variables

FROM_FACTS = {"doctor/checks/openmmlab.py", "net/egress.py", "web/server.py", "web/settings.py"}
"""Modules that read variables which the facts, or a table of their own, name: no row can name them."""


@cache
def _module(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _constants(path: Path) -> dict[str, tuple[str, ...]]:
    """Module constants that hold names, `NAME = "X"` or `NAMES = ("X", "Y")`: its own, and imported ones."""
    found = {}
    for node in _module(path).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmlock."):
            origin = PACKAGE.parent / f"{(node.module or '').replace('.', '/')}.py"
            told = _constants(origin) if origin.is_file() else {}
            found |= {one.asname or one.name: told[one.name] for one in node.names if one.name in told}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = _texts(node.value)
    return found


def _texts(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.Call) and node.args:  # frozenset({...})
        return _texts(node.args[0])
    elements = node.elts if isinstance(node, (ast.Tuple, ast.Set, ast.List)) else [node]
    return tuple(
        one.value for one in elements if isinstance(one, ast.Constant) and isinstance(one.value, str)
    )


def _is_environ(node: ast.expr) -> bool:
    return ast.unparse(node).rpartition(".")[2] in {"environ", "environment_variables"}


def _names_read(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Where a module reads variables, and their names; no name: it could not be told."""
    tree = _module(path)
    loops = {
        node.target.id: node.iter
        for node in ast.walk(tree)
        if isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.target, ast.Name)
    }

    def named(key: ast.expr) -> tuple[str, ...]:
        if isinstance(key, ast.Name):
            key = loops.get(key.id, key)
        return _constants(path).get(key.id, ()) if isinstance(key, ast.Name) else _texts(key)

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            read = node.func.attr == "getenv" or (node.func.attr == "get" and _is_environ(node.func.value))
            key = node.args[0] if read else None
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            key = node.slice if _is_environ(node.value) else None
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
            key = node.left if _is_environ(node.comparators[0]) else None
        else:
            key = None
        if key is not None:
            yield node.lineno, named(key)


def _sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "environment_variables.py")


@pytest.mark.slow
def test_every_variable_that_the_package_reads_is_in_the_table() -> None:
    missing, untold, count = set(), [], 0
    for path in _sources():
        where = path.relative_to(PACKAGE).as_posix()
        if not re.search(r"getenv|environ", path.read_text(encoding="utf-8")):
            continue  # to parse and walk every module takes seconds
        for line, names in _names_read(path):
            count += len(names)
            missing |= {name for name in names if variable(name) is None}
            if not names and where not in FROM_FACTS:
                untold.append(f"{where}:{line}")
    assert count > 30
    assert missing == set()
    assert untold == [], "name the variable, or add the module to FROM_FACTS with its reason"


@pytest.mark.slow
def test_every_name_of_ours_in_the_package_is_in_the_table_or_only_set() -> None:
    only_set = {
        "MMLOCK_BUILD",
        "MMLOCK_SCRIPT",
        "_MMLOCK_SET",  # marks: of a build, a heredoc, an activate script
        "MMLOCK_LOCK",
        "MMLOCK_RUNNER",  # variables of a pipeline of GitLab
    }
    named: set[str] = set()
    for path in PACKAGE.rglob("*.*"):
        if path.is_file() and path.suffix in {".py", ".yml"} and path.name != "environment_variables.py":
            named |= set(re.findall(r"\b_?MMLOCK_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
    assert {name for name in named - only_set if variable(name) is None} == set()


@pytest.mark.slow
def test_every_variable_of_the_table_is_in_the_code_that_reads_it() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in _sources())
    short = {row.name: row.name.removeprefix("UV_").rstrip("*") for row in VARIABLES}
    lost = [row.name for row in VARIABLES if row.reader is not Reader.HTTPX and short[row.name] not in code]
    assert lost == []
