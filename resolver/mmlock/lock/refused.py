"""Why there is no lock: the solver's answer to a pair of the catalogue, as a file in the place of one."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import NoAnswer
from mmlock.lock.formats.toml_in import open_toml
from mmlock.lock.formats.toml_out import Comment, dumps

NAME = "refused.toml"
SCHEMA = "mmlock-refused-1"


class Refused(Struct, frozen=True, kw_only=True):
    """A request that no combination fulfils."""

    stack: str
    request: tuple[str, ...]
    """What was asked, as command-line words, sorted."""
    error: str
    causes: tuple[str, ...]
    """The chain of facts."""
    hints: tuple[str, ...]
    """What does hold."""
    matrix_digest: str


def refused(stack: str, request: tuple[str, ...], why: NoAnswer, matrix_digest: str) -> Refused:
    """The answer as a value."""
    return Refused(
        stack=stack,
        request=request,
        error=why.message,
        causes=(*why.causes, *why.sources),
        hints=why.hints,
        matrix_digest=matrix_digest,
    )


def render(value: Refused) -> str:
    """The text of `refused.toml`."""
    return dumps(
        {
            Comment(
                "Written by mmlock: there is no lock here, and this is why. `mmlock locks` asks again."
            ): "",
            "schema": SCHEMA,
            "stack": value.stack,
            "request": list(value.request),
            "error": value.error,
            "causes": list(value.causes),
            "hints": list(value.hints),
            "matrix": value.matrix_digest,
        }
    )


def read(path: Path) -> Refused:
    """The answer in a file. Raises UsageError when it is not one, OSError when it cannot be read."""
    table = open_toml(path.read_text(encoding="utf-8"), str(path))
    if table.text("schema") != SCHEMA:
        table.fault("schema", f"is not `{SCHEMA}`")
    found = Refused(
        stack=table.text("stack"),
        request=table.texts("request"),
        error=table.text("error"),
        causes=table.texts("causes"),
        hints=table.texts("hints"),
        matrix_digest=table.text("matrix"),
    )
    table.check()
    return found
