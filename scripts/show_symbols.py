"""Show a packed table of torch names as text, so that git can show what differs in it.

    git config diff.torch-symbols.textconv ".venv/bin/python scripts/show_symbols.py"    # once
    git log -p -1 -- matrices/symbols
    python scripts/show_symbols.py --summary matrices/symbols     # writes matrices/symbols/builds.txt

One line for every build, then one for every name with the builds that export it. `builds.txt` is plain text
that is committed beside the tables: it tells how many names came and went from one release to the next.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from mmlock.binary.tables import SUFFIX, SymbolFile, SymbolStore, TorchFacts, read_symbol_file
from mmlock.files.atomic import write_aside

SUMMARY = "builds.txt"
_MOST = 5
"""Namespaces of a build that are counted by name."""


def lines_of(file: SymbolFile) -> Iterator[str]:
    """The whole of a table."""
    yield from (f"build {facts.build} {facts.build.platform}: {facts.wheel}" for facts in file.builds)
    held: dict[str, list[str]] = {}
    for facts in file.builds:
        for name in file.names_of(facts.build):
            held.setdefault(name, []).append(str(facts.build))
    yield from (f"{name}  {' '.join(builds)}" for name, builds in sorted(held.items()))


def summary(folder: Path) -> Iterator[str]:
    """One line for every build of a matrix folder, in the order of versions."""
    store = SymbolStore(folder.parent)
    before: frozenset[str] | None = None
    for build in store.builds():
        table = store.load(build)
        assert table is not None
        yield _summarized(table.facts, table.names, before)
        before = table.names


def write_summary(folder: Path) -> None:
    """Write the summary beside the tables."""
    text = "".join(f"{line}\n" for line in summary(folder))
    write_aside(folder / SUMMARY, text.encode(), mode=0o644)


def _summarized(facts: TorchFacts, names: frozenset[str], before: frozenset[str] | None) -> str:
    spaces = Counter(space for name in names if (space := _namespace(name)))
    most = ", ".join(f"{space} {count}" for space, count in sorted(spaces.most_common(_MOST)))
    came = "" if before is None else f"; +{len(names - before)} -{len(before - names)} names"
    unread = f"; not read: {', '.join(facts.unread)}" if facts.unread else ""
    digest = sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
    return f"{facts.build} {facts.build.platform}: {len(names)} names ({most}){came}{unread}; sha256 {digest}"


def _namespace(name: str) -> str | None:
    """The outermost namespace of a mangled name: `_ZN2at6Tensor...` is of `at`."""
    start = name.find("N")
    digits = name[start + 1 :].lstrip("KVRO")
    size = digits[: len(digits) - len(digits.lstrip("0123456789"))]
    return digits[len(size) : len(size) + int(size)] if start >= 0 and size and len(size) < 4 else None  # noqa: PLR2004


def main(arguments: list[str] | None = None) -> int:
    """Print one table, or write the summary of all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("place", type=Path, help=f"a `*{SUFFIX}` file; with --summary the folder of all")
    parser.add_argument("--summary", action="store_true", help=f"write `{SUMMARY}` beside the tables")
    asked = parser.parse_args(arguments)
    if asked.summary:
        write_summary(asked.place)
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines_of(read_symbol_file(asked.place)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
