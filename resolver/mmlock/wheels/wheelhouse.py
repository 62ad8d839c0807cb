"""The wheelhouse: wheels by the key of the build that made them, each with what is known about it.

wheels/KEY/NAME.whl          the wheel
wheels/KEY/entry.json        what it is, its hash, what was checked, what the key is made of
wheels/KEY/provenance.json   an in-toto statement about the wheel
wheels/KEY/build.log.gz      how it was made
files/HA/HASH/NAME           sources and wheels that were fetched
"""

from __future__ import annotations

import gzip
import json
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.core.json_object import json_object
from mmlock.core.names import Sha256, normalize
from mmlock.files.atomic import aside
from mmlock.files.digest import sha256_of
from mmlock.files.locking import hold
from mmlock.files.names import bare_file_name
from mmlock.files.private import open_cache
from mmlock.wheels.model import BuiltWheel, CheckStatus, WheelTest
from mmlock.wheels.wheel_record import record_fault

__all__ = ["ENTRY", "LOG", "PROVENANCE", "Damaged", "Wheelhouse", "wheelhouse_root"]

ENTRY = "entry.json"
PROVENANCE = "provenance.json"
LOG = "build.log.gz"
SCHEMA = 1


class Damaged(Struct, frozen=True, kw_only=True):
    """An entry that cannot be trusted, and why."""

    key: str
    why: str


_READS = 3
"""How often an entry is read that another process exchanges meanwhile."""


class Wheelhouse(Struct, frozen=True, kw_only=True):
    """A folder of built wheels. It is made when the first wheel comes in."""

    root: Path

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def _wheels(self) -> Path:
        return self.root / "wheels"

    def get(self, key: str) -> BuiltWheel | None:
        """The wheel of a key, its bytes checked; a damaged one is as good as none."""
        for _ in range(_READS):
            entry = self._read(self._wheels / key)
            if not isinstance(entry, BuiltWheel):
                return None
            try:
                if sha256_of(entry.path) == entry.sha256:
                    return entry
            except FileNotFoundError:  # another build put its wheel in the place of the one that was named
                continue
        return None

    def entries(self) -> Iterator[BuiltWheel | Damaged]:
        """All of them, by package, version and key; their bytes are not read."""
        folders = sorted(self._wheels.iterdir()) if self._wheels.is_dir() else []
        found = [self._read(folder) for folder in folders if not folder.name.startswith(".")]
        yield from sorted(
            found,
            key=lambda e: (e.package, e.version, e.key) if isinstance(e, BuiltWheel) else ("~", "", e.key),
        )

    def _read(self, folder: Path) -> BuiltWheel | Damaged:
        key = folder.name
        try:
            entry = json_object((folder / ENTRY).read_bytes())
            if entry["schema"] != SCHEMA:
                return Damaged(key=key, why=f"its `{ENTRY}` is of another mmlock")
            path = folder / bare_file_name(entry["file"])
            if path.is_symlink() or folder.is_symlink():
                return Damaged(key=key, why="it is a link to somewhere else")
            if path.stat().st_size != entry["size"]:
                return Damaged(
                    key=key, why=f"`{path.name}` has {path.stat().st_size} bytes, not {entry['size']}"
                )
            return BuiltWheel(
                package=normalize(entry["package"]),
                version=entry["version"],
                key=key,
                path=path,
                sha256=Sha256(entry["sha256"]),
                size=entry["size"],
                checks=tuple(
                    WheelTest(name=c["name"], status=CheckStatus(c["status"]), detail=c["detail"])
                    for c in entry["checks"]
                ),
                record=entry,
                hit=True,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            return Damaged(key=key, why=f"its `{ENTRY}` cannot be read: {error}")

    def put(
        self,
        key: str,
        wheel: Path,
        about: Mapping[str, Any],
        *,
        checks: Sequence[WheelTest],
        provenance: bytes,
        log: Path | None,
    ) -> BuiltWheel:
        """Take a wheel in: the whole entry is made aside and appears at once."""
        try:
            self._wheels.mkdir(parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(prefix=".new-", dir=self._wheels))
            try:
                self._fill(new, wheel, about, checks, provenance, log)
                with self._writing():
                    self._exchange(new, self._wheels / key)
            except BaseException:
                shutil.rmtree(new, ignore_errors=True)
                raise
        except OSError as error:
            raise EnvironmentFault(
                f"the wheelhouse `{self.root}` cannot be written",
                causes=[error.strerror or str(error)],
                hints=["free some space, or name another one with `--wheelhouse DIR`"],
            ) from error
        found = self._read(self._wheels / key)
        assert isinstance(found, BuiltWheel)
        return found

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One process at a time adds and removes entries."""
        with hold(self._wheels / ".lock", waiting=lambda _: None):
            yield

    def _exchange(self, new: Path, target: Path) -> None:
        """Put a filled folder in its place. One with the same wheel stays: others may be reading it."""
        old = self._read(target) if target.exists() else None
        if isinstance(old, BuiltWheel) and (new / old.path.name).is_file():
            digests = {old.sha256, sha256_of(new / old.path.name), sha256_of(old.path)}
            if len(digests) == 1:
                shutil.rmtree(new)
                return
        if target.exists():
            # Renamed first, so that nobody meets a folder that is half removed.
            gone = target.with_name(f".gone-{secrets.token_hex(6)}")
            target.replace(gone)
            new.replace(target)
            shutil.rmtree(gone, ignore_errors=True)
            return
        new.replace(target)

    def _fill(
        self,
        aside: Path,
        wheel: Path,
        about: Mapping[str, Any],
        checks: Sequence[WheelTest],
        provenance: bytes,
        log: Path | None,
    ) -> None:
        kept = aside / wheel.name
        shutil.copyfile(wheel, kept)
        kept.chmod(0o444)
        aside.chmod(0o755)
        entry = {
            **about,
            "schema": SCHEMA,
            "file": wheel.name,
            "sha256": sha256_of(kept),
            "size": kept.stat().st_size,
            "checks": [{"name": c.name, "status": c.status.value, "detail": c.detail} for c in checks],
        }
        (aside / ENTRY).write_text(json.dumps(entry, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        (aside / PROVENANCE).write_bytes(provenance)
        if log is not None and log.is_file():
            with log.open("rb") as source, gzip.GzipFile(aside / LOG, "wb", mtime=0) as out:
                shutil.copyfileobj(source, out)

    # ---------------------------------------------------------------- upkeep

    def verify(self) -> list[Damaged]:
        """Every entry whose bytes are not what its record, its provenance or its own RECORD say."""
        bad: list[Damaged] = []
        for found in self.entries():
            if isinstance(found, Damaged):
                bad.append(found)
            elif why := _fault_of(found):
                bad.append(Damaged(key=found.key, why=why))
        return bad

    def remove(self, key: str) -> None:
        """Take a wheel out."""
        with self._writing():
            shutil.rmtree(self._wheels / bare_file_name(key))


def _fault_of(wheel: BuiltWheel) -> str | None:
    digest = sha256_of(wheel.path)
    if digest != wheel.sha256:
        return f"the sha256 of `{wheel.path.name}` is {digest}, not {wheel.sha256}"
    try:
        statement = json_object((wheel.path.parent / PROVENANCE).read_bytes())
        told = {subject["digest"]["sha256"] for subject in statement["subject"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its provenance cannot be read: {error}"
    if wheel.sha256 not in told:
        return "its provenance is about another file"
    return record_fault(wheel.path)


def link_or_copy(source: Path, target: Path, check: Callable[[Path], object] | None = None) -> None:
    """Put a file at another place without spending disk where that is possible.

    `check` looks at the very bytes before they appear there; what it raises leaves the place as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with aside(target) as place:
        place.unlink()
        try:
            place.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, place)
        if check is not None:
            check(place)


def wheelhouse_root(told: Path | None, environ: Mapping[str, str]) -> Path:
    """The wheelhouse to use: the one named, `MMLOCK_WHEELHOUSE`, else one in mmlock's cache."""
    if told is not None:
        return told
    if own := environ.get("MMLOCK_WHEELHOUSE"):
        return Path(own)
    return open_cache(environ) / "wheelhouse"
