"""Where a matrix folder is, and which files are in it. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from pathlib import Path, PurePosixPath

from mmlock.core.errors import MatrixError

ENVIRONMENT_VARIABLE = "MMLOCK_MATRICES"

MARK = "gpus.json"
"""The file that tells a matrix folder from others."""


def find_root(path: Path | None, environ: Mapping[str, str]) -> Path:
    """The matrix folder to read. Raises MatrixError when a named one is not one."""
    if path is not None:
        return _named(path, "the given matrix folder")
    if named := environ.get(ENVIRONMENT_VARIABLE):
        return _named(Path(named), f"the matrix folder that ${ENVIRONMENT_VARIABLE} names")
    package = Path(__file__).resolve().parents[2]
    places = (package / "_matrices", package.parents[1] / "matrices")
    for place in places:
        if _is_matrix(place):
            return place
    raise MatrixError(
        "no matrix folder was found",
        causes=[f"`{place}` does not hold `{MARK}`" for place in places],
        hints=[f"reinstall mmlock, or point ${ENVIRONMENT_VARIABLE} or `--matrices` at a `matrices` folder"],
    )


def _named(path: Path, what: str) -> Path:
    if _is_matrix(path):
        return path
    why = f"it does not hold `{MARK}`" if path.is_dir() else "there is no such folder"
    raise MatrixError(
        f"{what}, `{path}`, is not one",
        causes=[why],
        hints=["name the `matrices` folder of an mmlock checkout, or leave it out to use the shipped one"],
    )


def _is_matrix(path: Path) -> bool:
    return (path / MARK).is_file()


def matrix_files(root: Path) -> Iterator[PurePosixPath]:
    """Relative paths of every file of rows below a matrix folder, sorted."""
    return _files(root, {".json", ".toml"})


def name_files(root: Path) -> Iterator[PurePosixPath]:
    """Relative paths of the files that say which names packages give and need, sorted."""
    return _files(root / "names", {".names"}, root)


def _files(folder: Path, suffixes: Container[str], root: Path | None = None) -> Iterator[PurePosixPath]:
    found = (
        PurePosixPath(path.relative_to(root or folder).as_posix())
        for path in folder.rglob("*")
        if path.suffix in suffixes and path.is_file()
    )
    return iter(sorted(found, key=str))
