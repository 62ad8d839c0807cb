"""What is wrong, by a text or by the files of an environment."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec.structs import replace

from mmlock.binary.tables import SymbolStore
from mmlock.core.doctor_arguments import DoctorArguments
from mmlock.core.errors import EnvironmentFault, NoAnswer, UsageError
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.diagnose import diagnose, told_apart
from mmlock.doctor.doctor_commands import prove
from mmlock.doctor.log import read_log
from mmlock.doctor.log_entities import LogEntities, find_log_entities
from mmlock.doctor.model import Diagnosis, Log, Proposal
from mmlock.doctor.patterns import Patterns, patterns_of
from mmlock.doctor.text import NOT_TEXT, diagnosis_data, diagnosis_lines
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.files.private import open_cache
from mmlock.files.reading import UnreadableError, read_bounded

if TYPE_CHECKING:
    from mmlock.doctor.apply import Hands

__all__ = ["STDIN", "doctor", "list_symptoms"]

STDIN = "-"
_END = 5
"""Last lines that are shown of a text that tells nothing."""


def doctor(arguments: DoctorArguments, hands: Callable[[], Hands], *, progress: Progress = silent) -> Page:
    """The report. Raises UsageError, EnvironmentFault, MatrixError or NoAnswer.

    `hands`: what a repair is made with; asked for only where an environment is examined.
    """
    page = _report(arguments, hands, progress)
    if not arguments.sarif:
        return page
    from mmlock import __version__
    from mmlock.doctor.sarif import sarif

    assert isinstance(page.data, dict)
    return Page(text=page.text, data=sarif(page.data, __version__))


def list_symptoms(matrices: Path | None) -> Page:
    """The texts that are known. Raises MatrixError."""
    from mmlock.doctor.listing import listing

    return listing(open_matrix(matrices).symptoms)


def _report(arguments: DoctorArguments, hands: Callable[[], Hands], progress: Progress) -> Page:
    matrix = open_matrix(arguments.matrices)
    if not arguments.of_text:
        from mmlock.doctor.examine import doctor_environment

        return doctor_environment(matrix, arguments, progress, hands())
    named = next(
        (
            option
            for option, value in (
                ("--fix", arguments.fix),
                ("--out", arguments.out),
                ("--apply", arguments.apply),
            )
            if value
        ),
        None,
    )
    if named:
        raise UsageError(
            f"`{named}` is about an environment, but a text was given",
            hints=["diagnose both first: `mmlock doctor LOG --python PATH`"],
        )
    return _of_text(matrix, arguments, progress)


# ---------------------------------------------------------------- a text


def _of_text(matrix: Matrix, arguments: DoctorArguments, progress: Progress) -> Page:
    patterns = patterns_of(matrix)
    name, log = _read(arguments, patterns, progress)
    entities = find_log_entities(log, matrix)
    seen = None
    if (arguments.python or arguments.lock) and not log.binary:
        from mmlock.doctor.both import facts_of
        from mmlock.doctor.examine import look

        seen = look(matrix, arguments, progress)
        entities = LogEntities((*entities.rows, *facts_of(seen.env)))
    symbols = SymbolStore(matrix.root, open_cache(os.environ))
    first, others = told_apart(
        diagnose(
            DiagnosisContext(log=log, entities=entities, matrix=matrix, symbols=symbols, patterns=patterns)
        )
    )
    if first is not None and not (seen and seen.wrong):
        progress("solving the proposed commands")
        first = _with_commands(matrix, first, arguments)
    if seen is not None:
        from mmlock.doctor.both import both

        return both(matrix, (first, others), seen, arguments, progress, log.cut)
    if first is None:
        raise _nothing(name, log)
    data = {
        "text": {"name": name, "lines": log.total, "whole": log.whole, "cut": log.cut},
        "cause": diagnosis_data(first),
        "others": [diagnosis_data(one) for one in others],
    }
    return Page(text="\n".join((*diagnosis_lines(first, others), *_left_out(log))), data=data)


def _with_commands(matrix: Matrix, one: Diagnosis, arguments: DoctorArguments) -> Diagnosis:
    """The solves that have a solution, each once; and what has none, as a sentence."""
    solves = one.solves
    if arguments.gpus:
        solves = tuple(replace(proposed, gpu=",".join(arguments.gpus), note="") for proposed in solves)
    proven = {proposed: prove(matrix, proposed) for proposed in dict.fromkeys(solves)}
    commands: dict[str, Proposal] = {}
    for proposal in (*one.commands, *proven.values()):
        if proposal is not None:
            commands.setdefault(proposal.command, proposal)
    if solves and not any(proven.values()):
        asked = " ".join(solves[0].packages)
        told = (
            f"no combination of {asked} that mmlock knows is for the device, Python and platform of the text"
        )
        one = replace(one, evidence=(*one.evidence, told), advice=one.without_lock)
    return replace(one, commands=tuple(commands.values()))


def _read(arguments: DoctorArguments, patterns: Patterns, progress: Progress) -> tuple[str, Log]:
    if arguments.text is not None:
        if arguments.log is not None:
            raise UsageError(f"`--text` contradicts `{arguments.log}`", hints=["use one of them"])
        return "--text", _checked(
            "--text", read_log(io.BytesIO(arguments.text.encode("utf-8", "replace")), patterns.loud)
        )
    name = arguments.log or STDIN
    if name == STDIN:
        return "stdin", _checked("stdin", _whole(sys.stdin.buffer, patterns, "stdin"))
    path = Path(name)
    if path.is_dir():
        raise UsageError(
            f"`{name}` is a folder",
            hints=["name a log in it; to examine an environment: `mmlock doctor --python PATH`"],
        )
    try:
        if not path.is_file() and path.exists():
            read_bounded(path)  # says what it is: a device or a pipe may have no end
        with path.open("rb") as stream:
            progress(f"reading {name}")
            return name, _checked(name, _whole(stream, patterns, name))
    except FileNotFoundError as error:
        raise UsageError(
            f"`{name}`: no such file",
            hints=["name a log, `-` for stdin, or pass the error text with `--text`"],
        ) from error
    except (OSError, ValueError, UnreadableError) as error:
        raise _unreadable(name, error) from error


def _whole(stream: BinaryIO, patterns: Patterns, name: str) -> Log:
    try:
        return read_log(stream, patterns.loud)
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> EnvironmentFault:
    why = getattr(error, "strerror", None) or str(error)
    return EnvironmentFault(
        f"`{name}` cannot be read", causes=[why], hints=["name a file that you can read, or `-` for stdin"]
    )


def _checked(name: str, log: Log) -> Log:
    if log.binary is None and not any(line.text.strip() for line in log.lines):
        raise UsageError(f"`{name}` is empty", hints=["pass the complete output of what failed"])
    return log


def _left_out(log: Log) -> Iterator[str]:
    if log.cut:
        yield f"{log.cut} of {log.total} lines are so long that a part of them was not read"


def _nothing(name: str, log: Log) -> NoAnswer:
    if log.binary:
        return NoAnswer(
            f"`{name}` is not text: it is {NOT_TEXT[log.binary]}",
            hints=[
                "pass the output of what failed, as text",
                "for compiled files and wheels, use `mmlock inspect`",
            ],
        )
    last = [line.text.strip() for line in log.lines if line.text.strip()][-_END:]
    return NoAnswer(
        f"no known symptom in the {log.total} lines of `{name}`",
        causes=[*(f"it ends with: {text[:200]}" for text in last[-1:]), *_left_out(log)],
        hints=[
            "pass the complete output, from the first error on, not only its last line",
            "examine the environment itself: `mmlock doctor --python PATH`",
            "if the environment causes it, please report the text: a symptom is one row of data",
        ],
    )
