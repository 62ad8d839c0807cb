"""How a run ends: errors as `error:`, `cause:` and `hint:` lines on stderr, and the exit code.

0 answered · 1 no answer · 2 a bad request, a broken matrix or surroundings · 130 interrupted ·
141 nobody reads the output any more
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping

import click

from mmlock.cli.terminal import Terminal, output_fault, printable, silence, tell, to_json, write
from mmlock.core.errors import EnvironmentFault, MmlockError, UsageError

ISSUES = "please report it with the command and, from a run with MMLOCK_DEBUG=1, the traceback"
INTERRUPTED = 130
PIPE_CLOSED = 141


def guarded(run: Callable[[], object], terminal: Terminal) -> int:
    """Run, tell what went wrong, and give the exit code."""
    try:
        run()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        return _told(from_click(error), terminal)
    except MmlockError as error:
        return _told(error, terminal)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a person never sees a traceback unasked
        return _ended(error, terminal)
    return 0


def _ended(error: BaseException, terminal: Terminal) -> int:
    """Whatever is no answer and no known error."""
    if isinstance(error, (KeyboardInterrupt, EOFError, click.Abort)):
        tell("error: interrupted")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        silence(sys.stdout)
        return PIPE_CLOSED
    if isinstance(error, OSError) and _cannot_write():
        return _told(output_fault(error), terminal)
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return _told(_refused(error), terminal)
    return _internal(error)


def _cannot_write() -> bool:
    """Whether it is stdout that fails; what could not be written is still in its buffer."""
    try:
        sys.stdout.write("")
        sys.stdout.flush()
    except OSError:
        return True
    return False


def _refused(error: OSError) -> EnvironmentFault:
    """A file or folder that the system refused and that nobody had reckoned with."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else str(error.filename)
    why = error.strerror or str(error)
    hints = ["check that path, and the variables and options that name it (MMLOCK_CACHE_DIR, --out, ...)"]
    return EnvironmentFault(f"cannot use `{name}`", causes=[why], hints=hints)


def from_click(error: click.ClickException) -> MmlockError:
    """A fault of the command line in mmlock's own form."""
    text = error.format_message().strip().rstrip(".").replace("'", "`")
    message = f"{text[:1].lower()}{text[1:]}"
    hints = []
    if isinstance(error, click.NoSuchOption):
        message = f"unknown option `{error.option_name}`"
        hints += [f"did you mean `{name}`?" for name in error.possibilities or ()][:1]
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hints.append(f"see `{error.ctx.command_path} --help`")
    return UsageError(message, hints=hints)


def _told(error: MmlockError, terminal: Terminal) -> int:
    _tell(error.lines())
    if terminal.as_json:
        try:
            write(to_json({"error": _as_data(error)}))
        except BrokenPipeError:
            silence(sys.stdout)
        except EnvironmentFault:
            return EnvironmentFault.exit_code
    return error.exit_code


def _as_data(error: MmlockError) -> Mapping[str, object]:
    return {
        "message": error.message,
        "causes": list(error.causes),
        "hints": list(error.hints),
        **({"sources": list(error.sources)} if error.sources else {}),
    }


def _internal(error: BaseException) -> int:
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    _tell([f"error: internal error: {what}", f"hint: {ISSUES}"])
    if os.environ.get("MMLOCK_DEBUG", "") not in {"", "0"}:
        tell("".join(traceback.format_exception(error)).rstrip())
    return 2


def _tell(lines: list[str]) -> None:
    for line in lines:
        label, _, text = line.partition(": ")
        # A line break inside a message keeps to the right of its label.
        indent = "\n" + " " * (len(label) + 2)
        tell(f"{label}: {indent.join(printable(text).splitlines())}")
