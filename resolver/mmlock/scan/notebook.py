"""The code of a notebook, each line with its line in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator

from msgspec.structs import replace

from mmlock.scan.left_out import LeftOutReason, UnreadSourceError
from mmlock.scan.model import ModuleFacts
from mmlock.scan.module import module_facts
from mmlock.scan.source import parse

__all__ = ["Cell", "code_cells", "notebook_facts"]

_MAGIC = ("!", "%", "?")
_TRANSPARENT = ("%%time", "%%capture", "%%prun")
_MISSES, _NEAR = 50, 8192
"""A line that is spelled otherwise in the file is searched to its end; after so many, only that near."""

Cell = list[tuple[int, str]]
"""Its lines, each with its line in the file."""


def code_cells(text: str) -> list[Cell]:
    """Every code cell. Raises UnreadSourceError."""
    try:
        document = json.loads(text)
        cells = document["cells"] if "cells" in document else document["worksheets"][0]["cells"]
        sources = [cell.get("source", cell.get("input", "")) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise UnreadSourceError(LeftOutReason.NOT_A_NOTEBOOK) from None
    return list(_placed(text, sources))


def _placed(text: str, sources: list[object]) -> Iterator[Cell]:
    offset, number, misses = 0, 1, 0
    for source in sources:
        lines = source if isinstance(source, list) else str(source).splitlines(keepends=True)
        cell: Cell = []
        for line in map(str, lines):
            for spelled in (json.dumps(line, ensure_ascii=False), json.dumps(line)):
                end = len(text) if misses < _MISSES else offset + len(spelled) + _NEAR
                position = text.find(spelled[1:-1], offset, end)
                if position >= 0:
                    number += text.count("\n", offset, position)
                    offset = position
                    break
            else:
                misses += 1
            cell.append((number, line.rstrip("\n")))
        yield cell


def notebook_facts(cells: list[Cell]) -> ModuleFacts:
    """What all cells say together, as one module; cells that are no Python say nothing."""
    lines = [pair for cell in cells for pair in cell]
    code = "\n".join(line for cell in cells for line in _python(cell))
    return _moved(module_facts(parse(code)), lines)


def _python(cell: Cell) -> list[str]:
    """A cell's lines, as many as it has: magic lines become `pass`, at their own depth."""
    first = cell[0][1] if cell else ""
    code = []
    for _, line in cell:
        bare = line.lstrip()
        code.append(line[: len(line) - len(bare)] + "pass" if bare.startswith(_MAGIC) else line)
    if first.startswith("%%") and not first.startswith(_TRANSPARENT):
        return [""] * len(cell)  # another language
    try:
        parse("\n".join(code))
    except UnreadSourceError:
        return [""] * len(cell)
    return code


def _moved(facts: ModuleFacts, lines: list[tuple[int, str]]) -> ModuleFacts:
    """The same facts with lines of the file."""

    def real(line: int) -> int:
        return lines[min(line, len(lines)) - 1][0] if lines else line

    return replace(
        facts,
        imports=tuple(replace(one, line=real(one.line)) for one in facts.imports),
        used=tuple(replace(one, line=real(one.line)) for one in facts.used),
        typed=tuple(replace(one, line=real(one.line)) for one in facts.typed),
        called=tuple(replace(one, line=real(one.line)) for one in facts.called),
        defined=tuple((name, real(line)) for name, line in facts.defined),
        script=True,
    )
