"""Diagnoses as lines for a person, and as plain values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from mmlock.doctor.model import Diagnosis, LogLine, NotText, Proposal
from mmlock.facts.matrix.symptom_rows import SymptomKind

_WIDTH = 110
_TEXT = 400
"""Of a line of evidence; the middle of longer ones is left out."""

NOT_TEXT = {
    NotText.ELF: "a compiled file (ELF)",
    NotText.ZIP: "an archive (ZIP, or a wheel)",
    NotText.GZIP: "compressed with gzip",
    NotText.XZ: "compressed with xz",
    NotText.BZIP2: "compressed with bzip2",
    NotText.ZSTD: "compressed with zstd",
    NotText.PDF: "a PDF",
    NotText.IMAGE: "an image",
    NotText.WINDOWS_PROGRAM: "a Windows program",
    NotText.BINARY: "binary data",
}
"""What a file is that holds no text."""
NOT_TRIED = "not tried"


def diagnosis_lines(first: Diagnosis, others: Sequence[Diagnosis]) -> Iterator[str]:
    """The answer in two lines; then the evidence, the reasons, what else to do, and other findings."""
    yield from _wrapped(
        "not the environment: " if first.kind is SymptomKind.USAGE else "cause: ", first.title
    )
    yield from _do(first)
    yield from _evidence(first)
    yield from _block("why", first.cause)
    yield from _block("what else to do", first.advice[1:])
    yield from command_lines(first.commands)
    if others:
        yield ""
        yield "other findings in this text (consequences, or unrelated)"
        for one in others:
            yield from _wrapped(f"  {_where(one.lines)}: ", one.title)
    yield ""
    yield from _wrapped("source: ", "; ".join(first.source))


def _do(first: Diagnosis) -> Iterator[str]:
    """The first thing to do: what was solved for, else what is advised."""
    solved = next((one for one in first.commands if one.gives), None)
    if first.advice:
        yield from _wrapped("do: ", first.advice[0])
        if any("`" in text for text in first.advice):
            yield f"  (commands in `backticks`: {NOT_TRIED})"
    elif solved is not None:
        yield from _wrapped("do: ", f"`{solved.command}`")


def _evidence(first: Diagnosis) -> Iterator[str]:
    yield ""
    yield "evidence"
    for line in first.lines:
        yield from _wrapped(f"  line {line.number}: ", shortened(line.text.strip()))
    if first.count > len(first.lines):
        yield f"  and {first.count - len(first.lines)} more lines like these"
    for text in first.evidence:
        yield from _wrapped("  ", text)


def _block(title: str, texts: Sequence[str]) -> Iterator[str]:
    if texts:
        yield ""
        yield title
        for text in texts:
            yield from _wrapped("  - ", text)


def command_lines(commands: Sequence[Proposal]) -> Iterator[str]:
    """The commands that cure, each with what it gives."""
    if not commands:
        return
    yield ""
    yield "command"
    for one, following in zip(commands, (*commands[1:], None), strict=True):
        if one.when:
            yield f"  {one.when}:"
        yield f"  {one.command}"
        yield from _wrapped("    gives ", one.gives) if one.gives else (f"    {NOT_TRIED}",)
        if one.note and (following is None or following.note != one.note):
            yield from _wrapped("    ", one.note)


def shortened(text: str, limit: int = _TEXT) -> str:
    """A text with its middle left out when it is long."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} ... {text[-half:]}"


def _where(lines: Sequence[LogLine]) -> str:
    numbers = list(dict.fromkeys(str(line.number) for line in lines))
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def _wrapped(start: str, text: str) -> Iterator[str]:
    rest = " " * (len(start) - len(start.lstrip()) + 2)
    yield from wrap(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [start.rstrip()]


# ---------------------------------------------------------------- plain values


def diagnosis_data(one: Diagnosis) -> dict[str, Any]:
    """A diagnosis for a program."""
    return {
        "symptom": one.symptom,
        "kind": one.kind.value,
        "subject": one.subject,
        "title": one.title,
        "lines": [{"number": line.number, "text": line.text} for line in one.lines],
        "count": one.count,
        "evidence": list(one.evidence),
        "cause": list(one.cause),
        "advice": list(one.advice),
        "commands": [command_data(command) for command in one.commands],
        "source": list(one.source),
        "confidence": one.confidence.value,
    }


def command_data(one: Proposal) -> dict[str, Any]:
    """A proposal for a program."""
    return {
        "command": one.command,
        "when": one.when,
        "gives": one.gives,
        "tried": one.gives is not None,
        "note": one.note,
    }
