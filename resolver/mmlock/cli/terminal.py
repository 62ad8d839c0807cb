"""What one run of the command line knows, and how it writes its answer."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from msgspec import Struct

from mmlock.cli.usecases import UseCases, library
from mmlock.core.errors import EnvironmentFault
from mmlock.core.report import Report


class Terminal(Struct, kw_only=True):
    """One run. Data goes to stdout, everything else to stderr."""

    load: Callable[[], UseCases] = library
    as_json: bool = False
    """Whether the user asked for JSON: then errors go to stdout too."""

    @property
    def app(self) -> UseCases:
        return self.load()

    def show(self, report: Report) -> None:
        """Write a report in the form that was requested."""
        write(to_json(report.data) if self.as_json else printable(report.text))


# ---------------------------------------------------------------- text


def printable(text: str) -> str:
    """The text with everything spelled out that could drive a terminal or hide in it.

    Locks, projects, logs and indexes are written by others. Control characters (ESC, C1), marks that turn
    the direction of text, invisible ones and broken Unicode become escapes; line ends and tabs stay.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "\n".join(line if line.isprintable() else _spelled(line) for line in text.split("\n"))


def _spelled(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else _escape(c) for c in line)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def to_json(value: object) -> str:
    """Plain values as JSON that a person can read too, and that cannot drive a terminal."""
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False)
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return _UNPRINTABLE.sub(lambda c: c[0] if c[0].isprintable() else json.dumps(c[0])[1:-1], text)


_UNPRINTABLE = re.compile(r"[^\n -~]")


# ---------------------------------------------------------------- streams


def write(text: str) -> None:
    """Write to stdout, with a line end, at once. Raises EnvironmentFault where that cannot be done."""
    try:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise output_fault(error) from error


def write_raw(text: str) -> None:
    """Write a document of another tool: as it is into a file or a pipe, spelled out on a terminal."""
    write(printable(text) if _is_terminal(sys.stdout) else text)


def tell(text: str) -> None:
    """A line for people on stderr. Where nobody can read it, the work goes on."""
    try:
        sys.stderr.write(f"{printable(text)}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        silence(sys.stderr)


def output_fault(error: OSError) -> EnvironmentFault:
    """The output cannot be written: what is said, and nothing tries again."""
    silence(sys.stdout)
    why = "stdout is closed" if error.errno == errno.EBADF else error.strerror or str(error)
    hint = "redirect it to a file on a disk with free space"
    return EnvironmentFault("the output cannot be written", causes=[why], hints=[hint])


def silence(stream: TextIO) -> None:
    """Let the interpreter's own last flush of a stream go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Closed(io.TextIOBase):
    """A stream that was closed before the program started."""

    def write(self, text: str) -> int:
        """Refuse, as the system would."""
        del text
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def prepare_streams() -> None:
    """Make the three streams usable whatever the caller did to them.

    A descriptor that was closed is taken by the next file that is opened: output meant for a terminal
    would then go into that file.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    streams: Any = sys  # the interpreter leaves None where a descriptor was closed
    for name in ("stdout", "stderr"):
        stream = getattr(streams, name)
        if stream is None:
            setattr(streams, name, _Closed())
        elif hasattr(stream, "reconfigure"):  # A terminal that knows only ASCII still gets every answer.
            stream.reconfigure(errors="backslashreplace")
    if streams.stdin is None:
        streams.stdin = io.TextIOWrapper(io.BytesIO())


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False


def write_file(path: Path, text: str) -> None:
    """Write a file aside and rename it, so that it is there whole or not at all."""
    from mmlock.files.atomic import write_aside

    try:
        write_aside(path, text.encode(), mode=None, durable=True)
    except OSError as error:
        why = error.strerror or str(error)
        hint = "name a file in a folder that you can write to"
        raise EnvironmentFault(f"cannot write `{path}`", causes=[why], hints=[hint]) from error
