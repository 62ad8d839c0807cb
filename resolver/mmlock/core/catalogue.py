"""`mmlock.toml`: which stacks a project keeps locked, and for which targets. Text in, values out.

    folder = "lockfiles"             # one folder STACK/TARGET for each pair; this is the default
    exclude-newer = "2026-11-21"     # so that the same facts give the same locks
    table = "lockfiles/README.md"    # keeps a table of all locks between two marks

    [targets.kaggle]                 # a target without a table is the GPU of that name
    gpus = ["t4", "p100"]

    [stacks.openmmlab]               # a stack without requirements is the known one of that name
    targets = ["rtx5090", "cpu", "kaggle"]

    [[index]]                        # these packages come from there and from nowhere else
    name = "team"
    url = "https://pypi.example.org/simple"
    packages = ["our-ops"]

    [pairs."openmmlab/cpu"]          # for one lock alone; `mmlock update` keeps its date here
    exclude-newer = "2026-11-25"

    [trust]                          # whose verdicts count: `mmlock.validate.attest.trust` reads it
    allowed-signers = "lockfiles/allowed_signers.toml"

    [update]                         # the pull requests: `mmlock.upkeep.update.policy` reads it
    minimum-release-age = "3 days"

Every option of `solve_options` that has a key is one here: for all pairs, in a target, in a stack, in a pair.
What the pair says goes before the stack, the stack before the target, and the target before the file. Paths
start from the folder of the file.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments
from mmlock.core.artifact import NamedIndex
from mmlock.core.errors import UsageError
from mmlock.core.faults import Fault, usage_error
from mmlock.core.names import normalize
from mmlock.core.requirements import Asked, parse_requirement, unique
from mmlock.core.solve_option import OptionKind, SolveOption
from mmlock.core.solve_options import OPTIONS
from mmlock.core.stated import Files, NoFiles, stated

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAME = "mmlock.toml"

KEYS: Mapping[str, SolveOption] = {option.key: option for option in OPTIONS if option.key}
"""The keys of solve options, by name."""
_ONLY_IN = {"gpus": "targets", "requirements": "stacks"}
"""Keys that have a meaning in one kind of table: they make the target, and the stack."""
_OWN_STACK = ("requirements", "requirement-files", "project")
"""Keys with which a stack is the user's own, not the known one of its name."""
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


def parse_catalogue(text: str, file: Path, files: Files | None = None) -> Catalogue:
    """Read a `mmlock.toml`; its folders are relative to where it is. Raises UsageError with all faults.

    `files` reads the requirement and constraint files that it names; None: it may name none.
    """
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:  # ValueError: an integer of thousands of digits, too
        raise usage_error([Fault(where=str(file), text=f"is not TOML: {error}")]) from error
    reader = _CatalogueReader(document, file, files or NoFiles())
    found = reader.read()
    if reader.faults:
        raise usage_error(reader.faults)
    return found


class _CatalogueReader:
    """Collects the pairs of one document and what is wrong with it."""

    def __init__(self, document: Mapping[str, Any], file: Path, files: Files) -> None:
        self.document = document
        self.file = file
        self.files = files
        self.faults: list[Fault] = []

    def read(self) -> Catalogue:
        self._known("", self.document, {"folder", "table", "stacks", "targets", "pairs", "trust", "update"})
        folder = self.file.parent / (self._text("", self.document, "folder") or "lockfiles")
        table = self._text("", self.document, "table")
        base = self._options("", self.document)
        targets = self._tables("targets")
        pairs = tuple(self._pairs(folder, base, targets))
        if not pairs and not self.faults:
            self._fault("stacks", "names no stack with targets", '[stacks.openmmlab] targets = ["rtx5090"]')
        return Catalogue(folder=folder, table=self.file.parent / table if table else None, pairs=pairs)

    def _pairs(
        self, folder: Path, base: Mapping[str, Any], targets: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[Pair]:
        for target, table in targets.items():
            self._known(f"targets.{target}", table, set())
        of_target = {name: self._options(f"targets.{name}", table) for name, table in targets.items()}
        of_pair = dict(self._of_pairs())
        for stack, table in self._tables("stacks").items():
            place = f"stacks.{stack}"
            self._known(place, table, {"targets"})
            of_stack = self._options(place, table)
            for target in self._texts(place, table, "targets"):
                if not _WORD.fullmatch(target):
                    self._fault(f"{place}.targets", f"`{target}` cannot be the name of a folder")
                    continue
                own = of_pair.pop(f"{stack}/{target}", {})
                values = {"gpus": (target,), **base, **of_target.get(target, {}), **of_stack, **own}
                values["out"] = folder / stack / target
                if not any(key in table for key in _OWN_STACK):
                    values["stack"] = stack
                request = self._request(place, values)
                if request is not None:
                    yield Pair(stack=stack, target=target, request=request)
        for name in of_pair:
            self._fault(f'pairs."{name}"', "is no pair of a stack and one of its targets")

    def _of_pairs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What `[pairs."STACK/TARGET"]` says, by the name of the pair."""
        value = self.document.get("pairs", {})
        if not isinstance(value, dict) or not all(isinstance(table, dict) for table in value.values()):
            self._fault("pairs", "must be a table of tables")
            return
        for name, table in value.items():
            self._known(f"pairs.{name}", table, set())
            yield name, self._options(f"pairs.{name}", table)

    def _request(self, place: str, values: Mapping[str, Any]) -> SolveArguments | None:
        if self.faults:  # of these very values: they would be told twice
            return None
        try:
            request = stated(values, self.files)
        except UsageError as error:
            told = error.causes or (error.message,)
            self.faults += [
                Fault(where=f"{self.file}: {place}", text=text, hint=next(iter(error.hints), None))
                for text in told
            ]
            return None
        return replace(request, requirements=unique(request.requirements))

    # ------------------------------------------------------------ options

    def _options(self, place: str, table: Mapping[str, Any]) -> dict[str, Any]:
        """What a table says, by the ids of the options."""
        return {
            option.id: value
            for key, option in KEYS.items()
            if key in table and (value := self._value(place, table, option)) is not None
        }

    def _value(self, place: str, table: Mapping[str, Any], option: SolveOption) -> Any:
        key = option.key or ""
        if option.kind is OptionKind.INDEX:
            return tuple(self._indexes(_join(place, key), table[key]))
        if option.kind is OptionKind.FLAG:
            if not isinstance(table[key], bool):
                self._fault(_join(place, key), "must be true or false")
            return bool(table[key])
        if not option.repeatable:
            text = self._text(place, table, key)
            return None if text is None else self._made(option, text)
        texts = self._texts(place, table, key)
        if option.kind is OptionKind.REQUIREMENT:
            return tuple(
                self._requirements(_join(place, key), texts, constraint=option.field == "constraints")
            )
        return tuple(self._made(option, text) for text in texts)

    def _made(self, option: SolveOption, text: str) -> Any:
        """A text as the value that its kind means: paths start from the folder of the file."""
        if option.kind is OptionKind.PACKAGE:
            return normalize(text)
        if option.kind in {OptionKind.FILE, OptionKind.PROJECT, OptionKind.PLACE}:
            return text if "://" in text else self._beside(text)
        if option.kind is OptionKind.PATH:
            return Path(self._beside(text))
        if option.kind is OptionKind.EXTENSION:
            name, sign, folder = text.rpartition("@")
            return f"{name}{sign} {self._beside(folder.strip())}" if sign else self._beside(text)
        return text

    def _beside(self, path: str) -> str:
        return (self.file.parent / path).as_posix()

    def _requirements(self, where: str, texts: Iterable[str], *, constraint: bool) -> Iterator[Asked]:
        for text in texts:
            asked = parse_requirement(text, f"{self.file}: {where}", constraint=constraint)
            if isinstance(asked, Fault):
                self.faults.append(asked)
            else:
                yield asked

    def _indexes(self, where: str, value: object) -> Iterator[NamedIndex]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._fault(where, "must be tables: [[index]] with name, url and packages")
            return
        for place, table in enumerate(value):
            at = f"{where}[{place}]"
            self._only(at, table, {"name", "url", "packages"})
            name, url = self._text(at, table, "name"), self._text(at, table, "url")
            if name is None or url is None:
                self._fault(at, "needs a name, a url and packages")
                continue
            packages = tuple(normalize(text) for text in self._texts(at, table, "packages"))
            yield NamedIndex(name=name, url=url, packages=packages)

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

    def _known(self, place: str, table: Mapping[str, Any], own: set[str]) -> None:
        kind = place.partition(".")[0]
        self._only(place, table, own | {key for key in KEYS if _ONLY_IN.get(key, kind) == kind})

    def _only(self, place: str, table: Mapping[str, Any], keys: set[str]) -> None:
        for key in table:
            if key not in keys:
                hint = f"expected one of {', '.join(sorted(keys))}"
                self._fault(_join(place, key), "unknown key", hint)

    def _fault(self, key: str, text: str, hint: str | None = None) -> None:
        self.faults.append(Fault(where=f"{self.file}: {key}", text=text, hint=hint))


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
