"""Take hashes from published lock files for wheels whose index publishes none.

    python scripts/capture_hashes.py --source "OWNER/REPO uv.lock @COMMIT (2026-11-28)" uv.lock

Reads `uv.lock`, `pylock.toml` or a JSON list of `{"url": ..., "sha256": ...}`. It takes wheels of torch,
torchvision and torchaudio on PyTorch's index, of OpenMMLab's index, and of releases on GitHub, each by its
URL. Where locks differ about a URL, that is printed, and neither hash is used. Run `mmlock matrix lint` then.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from mmlock.core.errors import MatrixError
from mmlock.facts.matrix import store
from mmlock.facts.matrix.decoding import decode
from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.scrape.public_locks import LockStatement, UnreadableLock, laid_over, section_of, statements


def source_key(text: str, taken: Mapping[str, str]) -> str:
    """A short key for a source text, one that no other text has."""
    stem = "lock-" + re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40]
    key, number = stem, 2
    while taken.get(key, text) != text:
        key, number = f"{stem}-{number}", number + 1
    return key


def main(arguments: list[str] | None = None) -> int:
    """Lay what the locks state over the matrix; 1 when a lock cannot be read or the locks differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("locks", nargs="+", type=Path)
    parser.add_argument("--source", required=True, help="repository, file, commit and day of the lock")
    parser.add_argument("--root", type=Path, default=Path("matrices"), help="the matrix folder")
    options = parser.parse_args(arguments)
    by_section: dict[str, list[LockStatement]] = {}
    try:
        for path in options.locks:
            for one in statements(path.read_bytes(), "lock"):
                by_section.setdefault(str(section_of(one.url)), []).append(one)
        differing = [warning for name, found in by_section.items() for warning in _lay(name, found, options)]
    except (UnreadableLock, MatrixError, OSError) as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    for warning in differing:
        print(f"warning: {warning}", file=sys.stderr)
    return 1 if differing else 0


def _lay(name: str, found: list[LockStatement], options: argparse.Namespace) -> tuple[str, ...]:
    section = SECTIONS["files"]
    file = section.path_for(name)
    path: Path = options.root / file
    document = decode(section, file, path.read_bytes()) if path.is_file() else None
    sources = dict(document.sources) if document else {}
    key = source_key(options.source, sources)
    stated = [LockStatement(url=one.url, sha256=one.sha256, source=key) for one in found]
    rows, warnings = laid_over(document.rows if document else (), stated)
    if store.replace(path, store.encode("files", rows, {**sources, key: options.source})):
        print(f"{file}: {len(stated)} wheels stated")
    return warnings


if __name__ == "__main__":
    sys.exit(main())
