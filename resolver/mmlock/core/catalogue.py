"""`mmlock.toml`: which stacks a project keeps locked, and for which targets. Text in, values out.

    folder = "lockfiles"             # one folder STACK/TARGET for each pair; this is the default
    exclude-newer = "2026-11-21"     # so that the same facts give the same locks
    table = "README.md"              # keeps a table of all locks between two marks

    [targets.kaggle]                 # a target without a table is the GPU of that name
    gpus = ["t4", "p100"]

    [stacks.openmmlab]               # a stack without requirements is the known one of that name
    targets = ["rtx5090", "cpu", "kaggle"]

    [trust]                          # whose verdicts count: `mmlock.validate.attest.trust` reads it
    allowed-signers = "lockfiles/allowed_signers.toml"

Stacks and targets take the options of `mmlock solve` too; what the stack says goes before the target.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments, parse_platform
from mmlock.core.faults import Fault, usage_error
from mmlock.core.names import normalize
from mmlock.core.requirements import Asked, parse_requirement, unique

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME = "mmlock.toml"

_TEXTS = ("python", "torch", "cuda", "driver", "glibc", "exclude-newer")
_FLAGS = {"no-build": "no_build", "allow-lite": "allow_lite", "pre": "prerelease"}
_LISTS = ("allow-sdist", "prefer")
_OPTIONS = {*_TEXTS, *_FLAGS, *_LISTS, "platform"}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Pair(Struct, frozen=True, kw_only=True):
    """One lock that is to be there."""

    stack: str
    target: str
    request: SolveArguments
    """With its folder as `out`."""

    @property
    def name(self) -> str:
        return f"{self.stack}/{self.target}"


class Catalogue(Struct, frozen=True, kw_only=True):
    """Everything a project keeps locked."""

    folder: Path
    table: Path | None
    """The file that holds the table of the locks; None: there is none."""
    pairs: tuple[Pair, ...]


class LocksArguments(Struct, frozen=True, kw_only=True):
    """What a user can ask of `mmlock locks`."""

    file: Path = Path(NAME)
    only: tuple[str, ...] = ()
    """`STACK` or `STACK/TARGET`; empty: all."""
    check: bool = False
    """Write nothing; tell what would change."""
    jobs: int | None = None
    """Solves at the same time; None: as many as there are processors, four at the most."""
    offline: bool = False
    matrices: Path | None = None
    allowed_signers: tuple[Path, ...] = ()
    """Files with public keys: whose verdicts count, besides the user's own and those in `[trust]`."""


def parse_catalogue(text: str, file: Path) -> Catalogue:
    """Read a `mmlock.toml`; its folders are relative to where it lies. Raises UsageError with all faults."""
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise usage_error([Fault(where=str(file), text=f"is not TOML: {error}")]) from error
    reader = _Reader(document, file)
    found = reader.read()
    if reader.faults:
        raise usage_error(reader.faults)
    return found


class _Reader:
    """Collects the pairs of one document and what is wrong with it."""

    def __init__(self, document: Mapping[str, Any], file: Path) -> None:
        self.document = document
        self.file = file
        self.faults: list[Fault] = []

    def read(self) -> Catalogue:
        self._known(
            "", self.document, {"folder", "table", "formats", "stacks", "targets", "trust", *_OPTIONS}
        )
        folder = self.file.parent / (self._text("", self.document, "folder") or "lockfiles")
        table = self._text("", self.document, "table")
        base = self._options("", self.document, SolveArguments())
        if "formats" in self.document:
            base = replace(base, lock_formats=self._texts("", self.document, "formats"))
        targets = self._tables("targets")
        pairs = tuple(self._pairs(folder, base, targets))
        if not pairs and not self.faults:
            self._fault("stacks", "names no stack with targets", '[stacks.openmmlab] targets = ["rtx5090"]')
        return Catalogue(folder=folder, table=self.file.parent / table if table else None, pairs=pairs)

    def _pairs(
        self, folder: Path, base: SolveArguments, targets: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[Pair]:
        for target, table in targets.items():
            self._known(f"targets.{target}", table, {"gpus", *_OPTIONS})
        for stack, table in self._tables("stacks").items():
            place = f"stacks.{stack}"
            self._known(place, table, {"targets", "requirements", *_OPTIONS})
            asked = self._requirements(place, table)
            for target in self._texts(place, table, "targets"):
                if not _WORD.fullmatch(target):
                    self._fault(f"{place}.targets", f"`{target}` cannot be the name of a folder")
                    continue
                own = targets.get(target, {})
                request = self._options(f"targets.{target}", own, base)
                request = replace(
                    self._options(place, table, request),
                    gpus=self._texts(f"targets.{target}", own, "gpus") or (target,),
                    stack=None if asked else stack,
                    requirements=asked,
                    out=folder / stack / target,
                )
                yield Pair(stack=stack, target=target, request=request)

    def _options(self, place: str, table: Mapping[str, Any], base: SolveArguments) -> SolveArguments:
        """The request with what a table says."""
        found: dict[str, Any] = {}
        for key in _TEXTS:
            if (text := self._text(place, table, key)) is not None:
                found[key.replace("-", "_")] = text
        for key, field in _FLAGS.items():
            if key in table:
                found[field] = table[key]
                if not isinstance(table[key], bool):
                    self._fault(_join(place, key), "must be true or false")
        if "allow-sdist" in table:
            found["allow_sdist"] = tuple(normalize(n) for n in self._texts(place, table, "allow-sdist"))
        if "prefer" in table:
            found["prefer"] = self._texts(place, table, "prefer")
        if (text := self._text(place, table, "platform")) is not None:
            platform = parse_platform(text)
            if isinstance(platform, Fault):
                self.faults.append(replace(platform, where=f"{self.file}: {_join(place, 'platform')}"))
            else:
                found["platform"] = platform
        return replace(base, **found)

    def _requirements(self, place: str, table: Mapping[str, Any]) -> tuple[Asked, ...]:
        found = []
        for text in self._texts(place, table, "requirements"):
            asked = parse_requirement(text, f"{self.file}: {place}.requirements")
            if isinstance(asked, Fault):
                self.faults.append(asked)
            else:
                found.append(asked)
        return unique(found)

    # ------------------------------------------------------------ values

    def _tables(self, key: str) -> dict[str, Mapping[str, Any]]:
        value = self.document.get(key, {})
        found: dict[str, Mapping[str, Any]] = value if isinstance(value, dict) else {}
        if value is not found or not all(isinstance(table, dict) for table in found.values()):
            self._fault(key, "must be a table of tables")
            return {}
        for name in found:
            if not _WORD.fullmatch(name):
                self._fault(f"{key}.{name}", "cannot be the name of a folder")
        return dict(found)

    def _text(self, place: str, table: Mapping[str, Any], key: str) -> str | None:
        value = table.get(key)
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        self._fault(_join(place, key), "must be text")
        return None

    def _texts(self, place: str, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self._fault(_join(place, key), "must be a list of texts")
        return ()

    def _known(self, place: str, table: Mapping[str, Any], keys: set[str]) -> None:
        for key in table:
            if key not in keys:
                hint = f"there are {', '.join(sorted(keys))}"
                self._fault(_join(place, key), "is not known here", hint)

    def _fault(self, key: str, text: str, hint: str | None = None) -> None:
        self.faults.append(Fault(where=f"{self.file}: {key}", text=text, hint=hint))


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
