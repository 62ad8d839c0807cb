"""Take records of conda packages from published lock files.

    python scripts/capture_conda.py --source "OWNER/REPO pixi.lock @COMMIT (DAY)" pixi.lock

Reads `pixi.lock` and `conda-lock.yml`. What one lock states and another does not is laid together; where two
differ about a hash or a dependency, that is printed and the record on file stays. `--subdir` and
`--name` take some, `--environment` those of one environment of a pixi.lock. Run `mmlock matrix lint` then.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from capture_hashes import source_key
from msgspec.structs import replace

from mmlock.core.errors import MatrixError
from mmlock.facts.matrix import store
from mmlock.facts.matrix.decoding import decode
from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.matrix.model import CondaRecord
from mmlock.facts.scrape.conda_locks import UnreadableCondaLock, records

Key = tuple[str, str, str, str]


def main(arguments: list[str] | None = None) -> int:
    """Lay what the locks state over the matrix; 1 when a lock cannot be read or the locks differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("locks", nargs="+", type=Path)
    parser.add_argument("--source", required=True, help="repository, file, commit and day of the lock")
    parser.add_argument("--root", type=Path, default=Path("matrices"), help="the matrix folder")
    parser.add_argument("--subdir", action="append", help="only this platform; default: linux-64, noarch")
    parser.add_argument("--name", action="append", help="only this package; default: all")
    parser.add_argument("--environment", action="append", default=[], help="of a pixi.lock; default: all")
    parser.add_argument(
        "--mirror", action="append", default=[], metavar="URL=CHANNEL", help="URL serves the files of CHANNEL"
    )
    options = parser.parse_args(arguments)
    mirrors = dict(text.partition("=")[::2] for text in options.mirror)
    wanted = options.subdir or ["linux-64", "noarch"]
    try:
        told = [
            one for path in options.locks for one in records(path.read_bytes(), "lock", options.environment)
        ]
        told = [(subdir, replace(row, channel=mirrors.get(row.channel, row.channel))) for subdir, row in told]
        told = [(subdir, row) for subdir, row in told if not options.name or row.name in options.name]
        warnings = [
            w for subdir in wanted for w in _lay(subdir, [r for s, r in told if s == subdir], options)
        ]
    except (UnreadableCondaLock, MatrixError, OSError) as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 1 if warnings else 0


def _lay(subdir: str, told: list[CondaRecord], options: argparse.Namespace) -> list[str]:
    section = SECTIONS["conda"]
    path = options.root / section.path_for(subdir)
    document = decode(section, str(path), path.read_bytes()) if path.is_file() else None
    sources = dict(document.sources) if document else {}
    rows: dict[Key, CondaRecord] = {_key(row): row for row in document.rows} if document else {}
    source = source_key(options.source, sources)
    sources[source] = options.source
    warnings = []
    for row in told:
        known = rows.get(_key(row))
        if known is None:
            rows[_key(row)] = replace(row, source=(source,))
        elif (fault := _differs(known, row)) is not None:
            warnings.append(f"{row.file}: {fault}; kept as it was")
        else:
            rows[_key(row)] = _together(known, row, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(store.encode("conda", rows.values(), sources, document.note if document else None))
    print(f"{path}: {len(rows)} records")
    return warnings


def _key(row: CondaRecord) -> Key:
    return row.name, row.version, row.build, row.channel


def _differs(known: CondaRecord, row: CondaRecord) -> str | None:
    for field in ("sha256", "md5", "size"):
        old, new = getattr(known, field), getattr(row, field)
        if old is not None and new is not None and old != new:
            return f"{field} {new} differs from {old}"
    return None


def _together(known: CondaRecord, row: CondaRecord, source: str) -> CondaRecord:
    """What one lock lacks and the other states. Of differing needs the first stays."""
    return replace(
        known,
        sha256=known.sha256 or row.sha256,
        md5=known.md5 or row.md5,
        size=known.size if known.size is not None else row.size,
        timestamp=known.timestamp if known.timestamp is not None else row.timestamp,
        constrains=known.constrains or row.constrains,
        source=tuple(sorted({*known.source, source})),
    )


if __name__ == "__main__":
    sys.exit(main())
