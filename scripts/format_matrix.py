"""Put JSON files of the matrix into canonical form after an edit by hand.

python scripts/format_matrix.py matrices/gpus.json ...    # without a name: all of them



"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path, PurePosixPath

from mmlock.core.errors import MatrixError
from mmlock.facts.matrix import store
from mmlock.facts.matrix.decoding import decode
from mmlock.facts.matrix.layout import section_of
from mmlock.facts.matrix.location import matrix_files


def formatted(root: Path, name: PurePosixPath) -> bytes:
    """The canonical bytes of a matrix file. Raises MatrixError."""
    section = section_of(name)
    if section is None:
        raise MatrixError(f"`{name}` is not a file of the matrix")
    document = decode(section[0], str(name), (root / name).read_bytes())
    try:
        return store.encode(document.schema, document.rows, document.sources, document.note)
    except KeyError as fault:
        raise MatrixError(
            f"matrix file `{name}` names source {fault}, which its `sources` do not define"
        ) from fault


def main(arguments: list[str] | None = None) -> int:
    """Format; the exit code is 1 when some file has a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="JSON files below the matrix folder")
    parser.add_argument("--root", type=Path, default=Path("matrices"), help="the matrix folder")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        names = [PurePosixPath(path.resolve().relative_to(root).as_posix()) for path in options.files]
    except ValueError as fault:
        parser.error(str(fault))
    faults = 0
    for name in names or [name for name in matrix_files(root) if name.suffix == ".json"]:
        try:
            if store.replace(root / name, formatted(root, name)):
                print(f"{name}: formatted")
        except (MatrixError, OSError) as fault:
            faults += 1
            print(f"error: {'; '.join((str(fault), *getattr(fault, 'causes', ())))}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
