"""What one run of the command line knows, and how it writes its answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from mmlock.cli.usecases import UseCases, library
from mmlock.core.errors import EnvironmentFault
from mmlock.core.report import Report


class Terminal(Struct, kw_only=True):
    """One run. Data goes to stdout, everything else to stderr."""

    load: Callable[[], UseCases] = library
    as_json: bool = False
    """Whether the user asked for JSON: then errors are told on stdout too."""

    @property
    def app(self) -> UseCases:
        return self.load()

    def show(self, report: Report) -> None:
        """Write a report in the form that was asked for."""
        write(to_json(report.data) if self.as_json else report.text)


def to_json(value: object) -> str:
    """Plain values as JSON that a person can read too."""
    import json

    return json.dumps(value, indent=2, ensure_ascii=False)


def write(text: str) -> None:
    """Write to stdout, with a line end, at once."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    sys.stdout.flush()


def write_file(path: Path, text: str) -> None:
    """Write a file aside and rename it, so that it is there whole or not at all."""
    from mmlock.files.atomic import write_aside

    try:
        write_aside(path, text.encode(), mode=None, durable=True)
    except OSError as error:
        why = error.strerror or str(error)
        hint = "name a file in a folder that you can write to"
        raise EnvironmentFault(f"cannot write `{path}`", causes=[why], hints=[hint]) from error
