"""What many releases of a package give or need, as compact text: a line for each set of releases.

    names-given mmdet
    source 2026-11-28 ...
    release 2.12.0 0123...
    module mmdet.utils
     .. collect_env get_root_logger
     2.25.0..2.28.2 get_device

A range is of the releases in the head; without an end it goes on to the newest, so that a new release changes
only the lines about which it differs. In `names-given`, `*` is a module that may have more names than these,
`.` one without public names, `!int` a name that is certainly not there. In `names-needed` a line has, before
the names, under which condition, through which entry module (`-`: none) and where they are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from mmlock.core.errors import MatrixError
from mmlock.core.names import PackageName, StrEnum
from mmlock.names.spans import Spans, in_order

__all__ = ["MODULE", "OPEN", "Head", "TableKind", "TableText", "encode", "read_table", "table_path"]

NAMES, ARCHIVES = "names", "archives"
"""How facts cite these files: section and key."""
OPEN, PRESENT, DENIED = "*", ".", "!"
MODULE = "module "
_WIDTH = 118
_DIGEST = 64


class TableKind(StrEnum):
    """What a file tells of the releases."""

    GIVEN = "names-given"
    NEEDED = "names-needed"


def table_path(kind: TableKind, package: str) -> str:
    """Where a file is, relative to the matrix folder."""
    return f"names/{kind.removeprefix('names-')}/{package}.names"


class Head(Struct, frozen=True, kw_only=True):
    """What a file is about."""

    kind: TableKind
    package: PackageName
    source: str
    releases: Mapping[str, str]
    """Release -> sha256 of the file that was read."""
    depth: int | None = None
    """How many parts the names of recorded modules have at the most; of deeper ones nothing is known."""


class TableText(Struct, frozen=True, kw_only=True):
    """A file whose lines are understood when they are requested."""

    head: Head
    blocks: Mapping[str, str]
    """Module -> its lines."""
    spans: Spans

    def lines(self, module: str) -> Iterator[tuple[int, list[str]]]:
        """The releases and the words of each line about a module. Raises MatrixError."""
        for line in self.blocks.get(module, "").splitlines():
            words = line.split()
            try:
                yield self.spans.mask(words[0]), words[1:]
            except (ValueError, IndexError) as fault:
                raise _broken(self.head.package, f"`{line.strip()}`: {fault}") from fault


def _broken(package: str, why: str) -> MatrixError:
    return MatrixError(
        f"the names of `{package}` cannot be read",
        causes=[why],
        hints=["take the file of an mmlock release, or make it again with `mmlock matrix refresh`"],
    )


def read_table(text: str, kind: TableKind, package: PackageName) -> TableText:
    """The head and the lines of a file. Raises MatrixError."""
    opening, *blocks = text.split(f"\n{MODULE}")
    first, *lines = opening.splitlines() or [""]
    if first != f"{kind} {package}":
        raise _broken(package, f"it begins with `{first[:80]}`, not with `{kind} {package}`")
    source, releases, depth = "", {}, None
    for line in lines:
        word, _, rest = line.partition(" ")
        name, _, digest = rest.partition(" ")
        if word == "source":
            source = rest
        elif word == "depth" and rest.isdigit():
            depth = int(rest)
        elif word == "release" and len(digest) == _DIGEST:
            releases[name] = digest
        else:
            raise _broken(package, f"`{line[:80]}` is no line of its head")
    head = Head(kind=kind, package=package, source=source, releases=releases, depth=depth)
    found = dict(block.partition("\n")[::2] for block in blocks)
    return TableText(head=head, blocks=found, spans=Spans(in_order(tuple(releases))))


def encode(head: Head, cells: Mapping[tuple[str, str, str], Iterable[str]]) -> str:
    """The text of a file. `cells`: (module, words before the name, name) -> the releases with it."""
    ordered = in_order(tuple(head.releases))
    spans = Spans(ordered)
    grouped: dict[str, dict[tuple[int, str], list[str]]] = {}
    for (module, before, name), releases in cells.items():
        mask = 0
        for release in releases:
            mask |= 1 << spans.place[release]
        if mask:
            grouped.setdefault(module, {}).setdefault((mask, before), []).append(name)
    lines = [f"{head.kind} {head.package}", f"source {head.source}"]
    lines += [f"depth {head.depth}"] if head.depth is not None else []
    lines += [f"release {release} {head.releases[release]}" for release in ordered]
    for module in sorted(grouped):
        lines.append(f"{MODULE}{module}")
        for (mask, before), names in sorted(
            grouped[module].items(), key=lambda item: (-item[0][0].bit_count(), item[0])
        ):
            start = f" {spans.text(mask)}" + (f" {before}" if before else "")
            lines += _wrapped(start, sorted(names))
    return "\n".join([*lines, ""])


def _wrapped(start: str, names: Sequence[str]) -> Iterator[str]:
    line = start
    for name in names:
        if line != start and len(line) + len(name) >= _WIDTH:
            yield line
            line = start
        line += f" {name}"
    yield line
