"""Puts a locked environment into its folder: all files or none, and unchanged ones untouched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.files.atomic import write_together
from mmlock.lock.fields import build_faults, environment_faults, fetch_faults, package_faults
from mmlock.lock.formats import FORMATS
from mmlock.lock.model import LockedEnv
from mmlock.lock.without_credentials import without_credentials

__all__ = ["WriteReport", "put_lock", "render_lock", "write_lock"]

_MARK_WITHIN = 1000
_FAULTS_SHOWN = 12


class WriteReport(Struct, frozen=True, kw_only=True):
    """What writing a lock changed in its folder: file names, sorted."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...] = ()
    """Files of an earlier lock that this one does not have."""


def render_lock(env: LockedEnv, formats: Iterable[str] | None = None) -> dict[str, str | None]:
    """Text of each file by its name; None for a file that this lock does not have.

    `formats` names the optional ones that are wanted; None means all.
    """
    wanted = set(FORMATS if formats is None else formats)
    if unknown := sorted(wanted - FORMATS.keys()):
        raise UsageError(
            f"no lock format is called `{unknown[0]}`", hints=[f"the formats are: {', '.join(FORMATS)}"]
        )
    env = without_credentials(env)
    _refuse_unsafe(env)
    return {
        item.file: item.render(env) if item.name in wanted or not item.optional else None
        for item in FORMATS.values()
    }


def _refuse_unsafe(env: LockedEnv) -> None:
    """Raise EnvironmentFault for what nobody could read back: an index may call its files anything."""
    faults = [f"`{key}` {text}" for key, text in environment_faults(env)]
    for package in env.packages:
        faults += [f"{package.name}: `{key}` {text}" for key, text in package_faults(package)]
    for fetch in env.fetch:
        faults += [f"{fetch.package}: `{key}` {text}" for key, text in fetch_faults(fetch)]
    for build in env.build:
        faults += [f"{build.package}: `{key}` {text}" for key, text in build_faults(build)]
    if faults:
        raise EnvironmentFault(
            "the lock is not written: an index or a recipe gave what a lock may not hold",
            causes=faults[:_FAULTS_SHOWN],
            hints=["look at the index pages and facts that it comes from"],
        )


def write_lock(env: LockedEnv, folder: Path, formats: Iterable[str] | None = None) -> WriteReport:
    """Write the lock folder. Raises EnvironmentFault, and then nothing in the folder has changed.

    Files that mmlock did not write are left alone; one that is in the way is an error.
    """
    return put_lock(render_lock(env, formats), folder)


def put_lock(files: Mapping[str, str | None], folder: Path) -> WriteReport:
    """Write a rendered lock, as `write_lock` does."""
    new = {name: text.encode() if text is not None else None for name, text in files.items()}
    try:
        old = {name: _existing(folder / name) for name in new}
        change = {name: data for name, data in new.items() if data is not None and data != old[name]}
        stale = tuple(name for name, data in new.items() if data is None and _is_ours(name, old[name]))
        for name in change:
            _refuse_foreign(folder / name, name, old[name])
        if change or stale:
            _put(folder, change, stale)
    except OSError as error:
        raise _fault(folder, error) from error
    unchanged = tuple(sorted(name for name, data in new.items() if data is not None and name not in change))
    return WriteReport(written=tuple(sorted(change)), unchanged=unchanged, removed=tuple(sorted(stale)))


def _existing(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _is_ours(name: str, data: bytes | None) -> bool:
    mark = next(item.mark for item in FORMATS.values() if item.file == name)
    return data is not None and mark.encode() in data[:_MARK_WITHIN]


def _refuse_foreign(path: Path, name: str, data: bytes | None) -> None:
    if data is not None and not _is_ours(name, data):
        raise EnvironmentFault(
            f"`{path}` is in the way: mmlock did not write it",
            causes=["it has no mark of a file that mmlock wrote, so it is not overwritten"],
            hints=["move it away, or give another folder with `--out`"],
        )


def _put(folder: Path, change: dict[str, bytes], stale: tuple[str, ...]) -> None:
    """Write everything aside first, so that what can fail fails before any rename."""
    made = _make_folder(folder)
    try:
        # A crash between two renames must not leave a lock that looks whole: the lock itself goes last.
        lock = folder / FORMATS["pylock"].file
        write_together({folder / name: data for name, data in change.items()}, last=lock.__eq__)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    except OSError:
        for path in made:
            _remove_empty(path)
        raise


def _make_folder(folder: Path) -> list[Path]:
    """Make the folder and its parents; says which ones are new, innermost first."""
    made = []
    missing = folder
    while not missing.exists():
        made.append(missing)
        missing = missing.parent
    folder.mkdir(parents=True, exist_ok=True)
    return made


def _remove_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return


def _fault(folder: Path, error: OSError) -> EnvironmentFault:
    where = error.filename2 or error.filename or folder
    return EnvironmentFault(
        f"the lock cannot be written to `{folder}`",
        causes=[f"`{where}`: {error.strerror or error}"],
        hints=["give a folder that you may write to with `--out`, on a disk with free space"],
    )
