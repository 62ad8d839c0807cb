"""Reads a lock folder back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault, MmlockError, UsageError
from mmlock.files.reading import ReadProblem, UnreadableError, read_bounded
from mmlock.lock.formats import build_toml, pixi_lock, pylock
from mmlock.lock.formats.parts import conda_digest
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv

__all__ = ["lock_in", "read_lock", "read_texts"]


def read_lock(folder: Path) -> LockedEnv:
    """The environment that a lock folder holds.

    Raises EnvironmentFault when files are missing or unreadable, UsageError when one is not as mmlock
    writes it; every fault is named by its file and key (`packages[2].wheels[0].hashes.sha256`).
    """
    return _read(lambda name: _text(folder / name, folder), folder)


def lock_in(folder: Path) -> LockedEnv | None:
    """The lock that is in a folder; None where there is none that can be read."""
    try:
        return read_lock(folder)
    except MmlockError:
        return None


def read_texts(files: Mapping[str, str]) -> LockedEnv:
    """The environment in the texts of a lock's files, by their names: what a server sent.

    Raises what `read_lock` does.
    """
    here = Path("lock")

    def text(name: str) -> str:
        if name not in files:
            raise UsageError(f"the lock is not whole: `{name}` is missing")
        return files[name]

    return _read(text, here)


def _read(text: Callable[[str], str], folder: Path) -> LockedEnv:
    partial = pylock.read(text(pylock.NAME), str(folder / pylock.NAME))
    env = partial.env if partial.conda is None else _with_conda(partial.env, partial.conda, text, folder)
    if not partial.unsealed:
        return env
    fetch, build = build_toml.read(text(build_toml.NAME), str(folder / build_toml.NAME))
    _same(partial.unsealed, fetch, build, folder)
    return replace(env, fetch=fetch, build=build)


def _with_conda(env: LockedEnv, digest: str, text: Callable[[str], str], folder: Path) -> LockedEnv:
    """The lock with its conda part. Raises UsageError when that is of another solve."""
    conda, channels, _ = pixi_lock.read(text(pixi_lock.NAME), str(folder / pixi_lock.NAME))
    if conda_digest(conda) != digest:
        raise UsageError(
            f"`{pylock.NAME}` and `{pixi_lock.NAME}` in `{folder}` do not belong together",
            causes=["the conda packages are not those that the pip part was solved for"],
            hints=["run `mmlock solve` again to write both"],
        )
    return replace(env, conda=conda, channels=channels)


def _text(path: Path, folder: Path) -> str:
    try:
        return read_bounded(path).decode()
    except UnreadableError as error:
        if error.problem is not ReadProblem.MISSING:
            raise EnvironmentFault(
                f"`{path}` cannot be read",
                causes=[error.text],
                hints=["give a lock folder that you may read"],
            ) from error
        raise EnvironmentFault(
            f"`{folder}` is not a whole lock folder",
            causes=[f"`{path.name}` is missing" if folder.is_dir() else "there is no such folder"],
            hints=["`mmlock solve --out FOLDER` writes one"],
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"`{path}` is not UTF-8 text",
            causes=[f"byte {error.start} cannot be read"],
            hints=["run `mmlock solve` again to rewrite it"],
        ) from error


def _same(
    wanted: tuple[tuple[str, str, str], ...],
    fetch: tuple[FetchStep, ...],
    build: tuple[BuildStep, ...],
    folder: Path,
) -> None:
    """Refuse two files that do not belong together: one of them is of another solve."""
    found: set[tuple[str, str, str]] = {(s.package, s.version, "fetch") for s in fetch} | {
        (s.package, s.version, s.form.value) for s in build
    }
    if found != set(wanted):
        raise UsageError(
            f"`{pylock.NAME}` and `{build_toml.NAME}` in `{folder}` do not belong together",
            causes=[
                f"`{pylock.NAME}` waits for {_words(set(wanted))}",
                f"`{build_toml.NAME}` makes {_words(found)}",
            ],
            hints=["run `mmlock solve` again to write both"],
        )


def _words(steps: set[tuple[str, str, str]]) -> str:
    return ", ".join(f"{name} {version} ({kind})" for name, version, kind in sorted(steps)) or "nothing"
