"""Help with headings: options know the section they are in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

Verb = TypeVar("Verb", bound=Callable[..., object])

_REST = "Options"


class Sectioned(click.Command):
    """A command whose help shows its options under headings, in the order of their declaration."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; every fault knows its command, so that the hint can name it."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options section by section; those without one come last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx)) is not None:
                sections.setdefault(getattr(param, "section", _REST), []).append(record)
        rest = sections.pop(_REST, [])
        for title, records in {**sections, _REST: rest}.items():
            with formatter.section(title):
                formatter.write_dl(records)


class SectionOption(click.Option):
    """An option that is under a heading."""

    def __init__(self, declarations: Sequence[str], *, section: str, **attributes: Any) -> None:
        super().__init__(declarations, **attributes)
        self.section = section


class HelpSection:
    """A heading and its options, to be put on several verbs."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.options: list[Callable[[Any], Any]] = []

    def add(self, *declarations: str, **attributes: Any) -> HelpSection:
        """Declare one more option; the arguments are those of `click.option`."""
        made = click.option(*declarations, cls=SectionOption, section=self.title, **attributes)
        self.options.append(made)
        return self

    def many(self, *declarations: str, **attributes: Any) -> HelpSection:
        """Declare an option that can be repeated."""
        return self.add(*declarations, multiple=True, **attributes)

    def __call__(self, verb: Verb) -> Verb:
        for option in reversed(self.options):
            verb = option(verb)
        return verb
