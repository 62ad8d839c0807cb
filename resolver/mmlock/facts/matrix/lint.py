"""Every fault of every matrix file at once: shape, order, spelling, and facts that contradict each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, get_args, get_type_hints

from msgspec import Struct
from msgspec.structs import fields

from mmlock.core.errors import MatrixError
from mmlock.facts.matrix import model
from mmlock.facts.matrix.decoding import decode, parse_toml
from mmlock.facts.matrix.layout import SECTIONS, Section, key_text, section_of, sort_key
from mmlock.facts.matrix.lint_packages import row_faults
from mmlock.facts.matrix.location import matrix_files

__all__ = ["MatrixFault", "canonical", "lint"]


class MatrixFault(Struct, frozen=True, kw_only=True):
    """One fault of one matrix file."""

    file: str
    """Relative to the matrix folder."""
    row: str | None
    """`12 (mmcv 2.1.0)`; None for a fault of the file."""
    message: str

    def __str__(self) -> str:
        where = f"{self.file}: row {self.row}" if self.row else self.file
        return f"{where}: {self.message}"


Report = Callable[[int | None, str], None]
"""Takes the index of a row (None: the file) and what is wrong with it."""


def lint(root: Path) -> list[MatrixFault]:
    """All faults of the matrix folder at `root`, in the order of files and rows."""
    from mmlock.facts.matrix.lint_names import name_faults
    from mmlock.facts.matrix.lint_references import reference_faults  # sees all files at once

    problems: list[MatrixFault] = []
    documents: dict[str, tuple[Section, model.Document[Any]]] = {}
    for path in matrix_files(root):
        read = _lint_file(root, path, problems)
        if read is not None:
            documents[str(path)] = read
    problems += [
        MatrixFault(file=section.path, row=None, message="the file is missing")
        for section in SECTIONS.values()
        if not section.per_package and not (root / section.path).is_file()
    ]
    for file, index, message in reference_faults(documents):
        section, document = documents[file]
        problems.append(
            MatrixFault(file=file, row=_row_name(section, index, document.rows[index]), message=message)
        )
    problems += [MatrixFault(file=str(path), row=None, message=text) for path, text in name_faults(root)]
    return problems


def _lint_file(
    root: Path, path: PurePosixPath, problems: list[MatrixFault]
) -> tuple[Section, model.Document[Any]] | None:
    """Check one file alone; its values when it can be decoded."""
    try:
        data = (root / path).read_bytes()
    except OSError as error:
        problems.append(
            MatrixFault(file=str(path), row=None, message=f"cannot be read: {error.strerror or error}")
        )
        return None
    found, read = _checked(path, data)
    problems += found
    return read


@lru_cache(maxsize=256)  # a refresh lints what it will write and what is there: most files are the same
def _checked(
    path: PurePosixPath, data: bytes
) -> tuple[tuple[MatrixFault, ...], tuple[Section, model.Document[Any]] | None]:
    """The faults of one file with these bytes, and its values."""
    problems: list[MatrixFault] = []
    read = _read(path, data, problems)
    return tuple(problems), read


def _read(
    path: PurePosixPath, data: bytes, problems: list[MatrixFault]
) -> tuple[Section, model.Document[Any]] | None:
    file = str(path)
    found = section_of(path)
    if found is None:
        problems.append(MatrixFault(file=file, row=None, message="no such matrix file is known"))
        return None
    section, package = found
    raw: list[Any] = []

    def report(index: int | None, message: str) -> None:
        row = None if index is None else _row_name(section, index, raw[index] if index < len(raw) else None)
        problems.append(MatrixFault(file=file, row=row, message=message))

    try:
        bare = _bare(section, data)
    except ValueError as error:
        report(None, f"cannot be parsed: {error}")
        return None
    raw += bare.get("rows", []) if isinstance(bare, dict) and isinstance(bare.get("rows"), list) else []
    for index, message in unknown_keys(model.Document[section.row], bare):  # type: ignore[name-defined]
        report(index, message)
    try:
        document = decode(section, file, data)
    except MatrixError as error:
        report(_row_of(error), "; ".join(error.causes) or error.message)
        return None
    _lint_document(section, package, document, report)
    if not section.curated and data != canonical(bare):
        report(None, "is not in canonical form: one compact row per line, keys sorted, newline at the end")
    return section, document


def _bare(section: Section, data: bytes) -> Any:
    return parse_toml(data) if section.curated else json.loads(data)


def _row_of(error: MatrixError) -> int | None:
    """The row a decoding error speaks of."""
    _, bracket, rest = " ".join(error.causes).partition("$.rows[")
    number = rest.partition("]")[0]
    return int(number) if bracket and number.isdigit() else None


def _row_name(section: Section, index: int, row: Any) -> str:
    readable = isinstance(row, (dict, Struct))
    key = key_text(section.key, row) if readable else ""
    return f"{index} ({key})" if key else str(index)


def canonical(document: Mapping[str, Any]) -> bytes:
    """The only bytes a JSON matrix file with this content may have: a changed fact is a changed line."""
    head = {name: document[name] for name in ("schema", "note", "sources") if name in document}
    opening = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1]
    rows = (
        json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        for row in document.get("rows", ())
    )
    body = ",\n".join(rows)
    return f'{opening},"rows":[\n{body}\n]}}\n'.encode()


# ---------------------------------------------------------------- keys and order


def unknown_keys(kind: Any, value: Any) -> Iterator[tuple[int | None, str]]:
    """Keys that no field takes, anywhere below a document; decoding would skip them in silence."""
    for path, key, known in _strangers(kind, value, ()):
        index = path[1] if len(path) > 1 and path[0] == "rows" and isinstance(path[1], int) else None
        yield index, f"unknown key `{key}`{_resembling(key, known)}"


def _resembling(key: str, known: tuple[str, ...]) -> str:
    import difflib

    close = difflib.get_close_matches(key, known, n=1)
    return f", did you mean `{close[0]}`?" if close else ""


class _Shape(Struct, frozen=True, kw_only=True):
    """What may be below a value: the fields of a table, or the items of an array."""

    fields: Mapping[str, Any] | None = None
    item: Any = None


@cache
def _shape(kind: Any) -> _Shape | None:
    """The shape of a type; None where no table is below it, so that nothing can be unknown there."""
    origin, arguments = getattr(kind, "__origin__", kind), get_args(kind)
    if isinstance(origin, type) and issubclass(origin, Struct):
        hints = get_type_hints(origin)
        if origin is model.Document and arguments:
            hints["rows"] = tuple[arguments[0], ...]  # type: ignore[valid-type]
        return _Shape(fields={field.name: hints[field.name] for field in fields(origin)})
    if origin is tuple and arguments and _shape(arguments[0]):
        return _Shape(item=arguments[0])
    return None


def _strangers(
    kind: Any, value: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str, tuple[str, ...]]]:
    shape = _shape(kind)
    if shape is None:
        return
    if shape.fields is not None and isinstance(value, dict):
        for key, inner in value.items():
            if key not in shape.fields:
                yield path, key, tuple(shape.fields)
            elif isinstance(inner, (dict, list)):
                yield from _strangers(shape.fields[key], inner, (*path, key))
    elif shape.item is not None and isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _strangers(shape.item, inner, (*path, index))


def _lint_document(
    section: Section, package: str | None, document: model.Document[Any], report: Report
) -> None:
    _lint_order([sort_key(section, row) for row in document.rows], report)
    _lint_sources(document, report)
    for index, row in enumerate(document.rows):
        if package is not None and getattr(row, "package", package) != package:
            report(index, f"is of package `{row.package}`, but the file is of `{package}`")
        for message in row_faults(row):
            report(index, message)


def _lint_order(keys: list[tuple[tuple[Any, ...], ...]], report: Report) -> None:
    for index in range(1, len(keys)):
        if keys[index] == keys[index - 1]:
            report(index, "has the same key as the row before it")
        elif keys[index] < keys[index - 1]:
            report(index, "is out of order: rows are sorted by their key, versions by PEP 440")


def _lint_sources(document: model.Document[Any], report: Report) -> None:
    used: set[str] = set()
    for index, row in enumerate(document.rows):
        for one in (row, *getattr(row, "wheels", ()), *getattr(row, "recipes", ())):
            used.update(one.source)
            if not one.source:
                report(index, "names no source")
            for key in one.source:
                if key not in document.sources:
                    report(index, f"names source `{key}`, which the file's `sources` do not define")
    for key, text in document.sources.items():
        if key not in used:
            report(None, f"defines source `{key}`, which no row names")
        if not text.strip():
            report(None, f"source `{key}` says nothing")
