"""Options that several verbs share. Those of a solve are made from `core.solve_options`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mmlock.cli.sections import HelpSection, SectionOption, Verb
from mmlock.core import solve_option, solve_options
from mmlock.core.solve_option import OptionKind, SolveOption

FOLDER = click.Path(path_type=Path)
DEFAULT_LOCK = Path("lock")
FACTS = "Use these facts instead of those that came with mmlock."
OFFLINE = "Use only what was downloaded before."
OUT_FILE = "Write the result here instead of to stdout."


def _of_table(*sections: solve_option.OptionSection) -> Callable[[Verb], Verb]:
    """The options of these sections, as a decorator."""
    made = [_made(option) for option in solve_options.of_section(*sections)]

    def put(verb: Verb) -> Verb:
        for option in reversed(made):
            verb = option(verb)
        return verb

    return put


def _made(option: SolveOption) -> Callable[[Any], Any]:
    words = [f"--{option.name}", option.id, *([f"-{option.short}"] if option.short else [])]
    more: dict[str, Any] = {"multiple": True} if option.repeatable else {}
    if option.kind is OptionKind.FLAG:
        more["is_flag"] = True
    else:
        more["metavar"] = option.metavar
    if option.kind is OptionKind.PATH:
        more["type"] = FOLDER
    return click.option(*words, cls=SectionOption, section=option.section.value, help=option.help, **more)


inputs = _of_table(solve_option.OptionSection.INPUT)
target = _of_table(solve_option.OptionSection.TARGET)
choice = _of_table(solve_option.OptionSection.CHOICE)
index = _of_table(solve_option.OptionSection.INDEX)
output = _of_table(solve_option.OptionSection.OUTPUT)
request = _of_table(
    solve_option.OptionSection.INPUT,
    solve_option.OptionSection.TARGET,
    solve_option.OptionSection.CHOICE,
    solve_option.OptionSection.INDEX,
)
"""Everything that describes an environment."""

progress = HelpSection("Output").add(
    "--progress/--no-progress",
    default=None,
    help="Show progress on stderr; by default on a terminal only.",
)


def _note_format(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Tell the terminal at once, so that errors of the very same run take the same form."""
    del param
    ctx.obj.as_json = value == "json"
    return value


def formats(
    *kinds: str,
    default: str = "text",
    expose: bool = True,
    help: str = "For people or for programs.",  # noqa: A002 - click's word
    hidden: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
) -> HelpSection:
    """`--format`: text or JSON, and what else a verb can write. `hidden` are taken and not listed.

    `also` are other names of the option.
    """
    shown = [kind for kind in ("text", "json", *kinds) if kind not in hidden]
    return HelpSection("Output").add(
        "--format",
        *also,
        type=click.Choice(["text", "json", *kinds]),
        metavar=f"[{'|'.join(shown)}]",
        default=default,
        show_default=True,
        expose_value=expose,
        is_eager=True,
        callback=_note_format,
        help=help,
    )


form = formats(expose=False)


prefix = HelpSection("Environment").add(
    "--prefix",
    type=FOLDER,
    default=Path(".venv"),
    show_default=True,
    metavar="DIR",
    help="The environment.",
)


def lock_argument(verb: Verb) -> Verb:
    """LOCK: a lock folder, or the `pylock.toml` in it."""
    return click.argument("lock", type=FOLDER, default=DEFAULT_LOCK, metavar="[LOCK]")(verb)


def say(text: str) -> None:
    """A line for people, on stderr."""
    from mmlock.cli.terminal import tell

    tell(f"warning: {text}")


def renamed(old: str, parameter: str, instead: str, **attributes: Any) -> Callable[[Verb], Verb]:
    """An option under its former name: it still works, is not listed, and says what to write instead."""

    def note(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        del param
        if value is not None and value is not False and value != ():
            say(f"`{old}` has another name now: use {instead}")
            ctx.meta.setdefault("mmlock.renamed", {})[parameter] = value
        return value

    return click.option(old, f"old_{parameter}", hidden=True, expose_value=False, callback=note, **attributes)


def former(parameter: str) -> Any:
    """What was given under a former name; None: nothing."""
    return click.get_current_context().meta.get("mmlock.renamed", {}).get(parameter)
