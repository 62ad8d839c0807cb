"""Write the reference pages of the documentation from the code: `docs/reference/*.md`.

python scripts/docs_reference.py            # write the pages that differ
python scripts/docs_reference.py --check    # write nothing; exit code 1 when a page is stale

"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from docs_files import exit_page, facts_page, json_page, locks_page, verdict_page
from docs_source import table

from mmlock.cli.main import VERBS, mmlock
from mmlock.core import catalogue
from mmlock.core.environment_variables import VARIABLES, Purpose, Reader
from mmlock.core.solve_option import OptionKind
from mmlock.core.solve_options import OPTIONS
from mmlock.resolve.request.objectives import DEFAULT_OBJECTIVES, MEANING
from mmlock.upkeep.update import policy

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
MADE = "<!-- Made by scripts/docs_reference.py; edit the code, not this page. -->"

# A command keeps the help option of the first context it is shown in.
SETTINGS: Mapping[str, Any] = mmlock.context_settings

KINDS: Mapping[OptionKind, str] = {
    OptionKind.TEXT: "text",
    OptionKind.FLAG: "true or false",
    OptionKind.PATH: "path",
    OptionKind.REQUIREMENT: "requirement (PEP 508)",
    OptionKind.FILE: "path or URL of a file",
    OptionKind.PROJECT: "folder, or a pyproject.toml",
    OptionKind.EXTENSION: "`DIR` or `NAME==VERSION @ DIR`",
    OptionKind.PACKAGE: "name of a package",
    OptionKind.INDEX: "tables `[[index]]` with `name`, `url` and `packages`",
    OptionKind.PIN: "`NAME=PACKAGE`",
    OptionKind.PLACE: "folder or URL",
}


# ---------------------------------------------------------------- command line


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """A command and those below it, in the order of the help."""
    yield name, command
    if isinstance(command, click.Group):
        ctx = click.Context(command, info_name=name, **SETTINGS)
        for word in command.list_commands(ctx):
            below = command.get_command(ctx, word)
            assert below is not None
            yield from commands(f"{name} {word}", below)


def cli_page() -> list[str]:
    """Every verb with its arguments and options, from the click commands."""
    lines = ["# Command line", "", "mmlock has one command with these verbs.", ""]
    rows = [(f"[`{name}`](#mmlock-{name})", verb.help) for name, verb in VERBS.items()]
    lines += [*table(("verb", "what it does"), rows), ""]
    lines += ["Every verb takes `--help`. `mmlock --version` prints the version.", ""]
    root = click.Context(mmlock, info_name="mmlock", **SETTINGS)
    for verb in VERBS:
        top = mmlock.get_command(root, verb)
        assert top is not None
        for name, command in commands(f"mmlock {verb}", top):
            lines += command_lines(name, command)
    return lines


def command_lines(name: str, command: click.Command) -> list[str]:
    """One command: usage, what it does, options by their headings."""
    ctx = click.Context(command, info_name=name, **SETTINGS)
    level = "##" if name.count(" ") == 1 else "###"
    usage = " ".join([name, *command.collect_usage_pieces(ctx)])
    lines = [f"{level} {name}", "", "```text", usage, "```", "", *help_lines(command), ""]
    sections: dict[str, list[tuple[str, ...]]] = {}
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            record = param.get_help_record(ctx)
            assert record is not None
            form, text = record
            sections.setdefault(getattr(param, "section", "Options"), []).append(
                (f"`{form}`", text + (" Repeatable." if param.multiple and "epeatable" not in text else ""))
            )
    for title, rows in sections.items():
        lines += [f"**{title}**", "", *table(("option", "meaning"), rows), ""]
    return lines


def help_lines(command: click.Command) -> list[str]:
    """The help text in Markdown: blocks that click leaves as they are become code."""
    lines = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        if block.startswith("\b\n"):
            lines += ["", "```text", *block.splitlines()[1:], "```"]
        else:
            lines += ["", " ".join(block.split())]
    return lines[1:]


# ---------------------------------------------------------------- settings


FILE_KEYS = [
    (
        "`folder`",
        "folder",
        "Where the locks are: one folder `STACK/TARGET` each; default `lockfiles`.",
    ),
    ("`table`", "file", "Keeps a table of all locks between two marks."),
    ("`[targets.NAME]`", "table", "A target; without a table it is the GPU of that name."),
    (
        "`[stacks.NAME]`",
        "table",
        "A stack; without requirements it is the known one of that name.",
    ),
    ("`[stacks.NAME]` `targets`", "list of texts", "The targets for which the stack is locked."),
    (
        "`[trust]` `keys`",
        "list of tables",
        "Public keys whose verdicts count: `name` and `key`, or `name`, `identity` and `issuer`.",
    ),
    ("`[trust]` `allowed-signers`", "file", "A file with more keys."),
]
"""The keys of mmlock.toml that are no solve options."""


def toml_page() -> list[str]:
    """The keys of mmlock.toml, from the table of solve options and the catalogue's own."""
    about, _, rest = inspect.cleandoc(catalogue.__doc__ or "").partition("\n\n")
    example = rest.partition("\nEvery option")[0]
    lines = [
        "# mmlock.toml",
        "",
        f"{about.partition(': ')[2].partition(' Text in')[0]} `mmlock locks` reads it.".capitalize(),
        "",
        "```toml",
        *inspect.cleandoc(example).splitlines(),
        "```",
        "",
        "What a pair says goes before its stack, a stack before its target, and a target before the top of",
        "the file. Paths start from the folder of the file. Unknown keys are errors.",
        "",
        "## Keys of the file",
        "",
        *table(
            ("key", "value", "meaning"),
            FILE_KEYS,
        ),
        "",
        "## Pull requests: [update]",
        "",
        "How `mmlock update` works: [Keeping locks fresh](../guides/updates.md).",
        "",
        *table(
            ("key", "value", "meaning"), [(f"`{key.name}`", key.value, key.meaning) for key in policy.KEYS]
        ),
        "",
        "## Options of a solve",
        "",
        "At the top of the file, in `[targets.NAME]`, `[stacks.NAME]` or a pair. `gpus` is for targets,",
        "`requirements` for stacks only.",
        "",
    ]
    only = {"gpus": "targets", "requirements": "stacks"}
    rows = [
        (
            f"`{key}`",
            ("list: " if option.repeatable and option.kind is not OptionKind.INDEX else "")
            + KINDS[option.kind],
            option.help.split(" Repeatable:")[0],
            f"[{only[key]}] only" if key in only else "anywhere",
        )
        for key, option in catalogue.KEYS.items()
    ]
    lines += [*table(("key", "value", "meaning", "where"), rows), "", "## Options without a key", ""]
    without = [(f"`--{one.name}`", one.why_no_key or "") for one in OPTIONS if one.key is None]
    return [*lines, *table(("option", "instead"), without)]


def variables_page() -> list[str]:
    """Every environment variable, from its table in the code."""
    lines = ["# Environment variables", "", "Variables that are not listed here change nothing."]
    readers = {
        Reader.MMLOCK: "mmlock",
        Reader.HTTPX: "mmlock's HTTP client",
        Reader.UV: "uv, which mmlock starts",
        Reader.BUILD: "the tools of a build",
    }
    for purpose in Purpose:
        rows = [
            (f"`{row.name}`", row.meaning, readers[row.reader]) for row in VARIABLES if row.purpose is purpose
        ]
        lines += ["", f"## {purpose}", "", *table(("variable", "meaning", "read by"), rows)]
    return lines


def prefer_page() -> list[str]:
    """The terms of `--prefer`, from the objectives."""
    return [
        "# Terms of --prefer",
        "",
        "A solve minimises these costs in this order: a later one decides only between solutions that are",
        "equal in all earlier ones. `--prefer TERM` moves a term to the front; repeat it for the next ones.",
        "",
        "    mmlock solve --gpu rtx4090 --prefer newest-torch --prefer wheels-first",
        "",
        *table(
            ("", "term", "prefers"),
            [(str(place), f"`{one}`", MEANING[one]) for place, one in enumerate(DEFAULT_OBJECTIVES, 1)],
        ),
    ]


PAGES: Mapping[str, Callable[[], list[str]]] = {
    "cli.md": cli_page,
    "mmlock-toml.md": toml_page,
    "environment-variables.md": variables_page,
    "prefer.md": prefer_page,
    "facts-files.md": facts_page,
    "lock-files.md": locks_page,
    "verdict-file.md": verdict_page,
    "json.md": json_page,
    "exit-codes.md": exit_page,
}


def page(name: str) -> str:
    """The text of one page."""
    lines = [MADE, "", *PAGES[name]()]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def main() -> int:
    """Write the pages, or say which ones are stale."""
    parser = argparse.ArgumentParser(description="Write docs/reference/*.md from the code.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 when a page is stale"
    )
    check = parser.parse_args().check
    stale = 0
    for name in PAGES:
        path, text = FOLDER / name, page(name)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        print(f"{path}: {'stale' if check else 'written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
