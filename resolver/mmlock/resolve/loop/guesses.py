"""Imports of a project that nothing explains, looked for on the index under the name of their module.

A name alone proves nothing: the newest wheel of that name must hold the module. What is found is a guess, and
the lock tells it as one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

from mmlock.binary.archive import Archive
from mmlock.binary.reading import Unreadable
from mmlock.binary.remote import Remote
from mmlock.core.artifact import Artifact
from mmlock.core.names import PackageName, StrEnum
from mmlock.core.project_pins import Guess, PinNote, PinRole
from mmlock.core.requirements import Asked
from mmlock.facts.matrix.load import Matrix
from mmlock.net.lookup import LookupFault, LookupKind, file_version
from mmlock.net.workers import Workers
from mmlock.resolve.loop.indexes import Indexes
from mmlock.resolve.request.namesakes import namesakes
from mmlock.resolve.request.packages import core_packages

__all__ = ["Found", "Looked", "brings", "look_up"]

_BUDGET = 16 * 2**20
"""Bytes that may be read of one wheel: its directory."""
_MOST = 60
"""Guesses of one project that are looked up."""
_AT_ONCE = 8


class Looked(StrEnum):
    """What the index says of a guess."""

    BRINGS = "brings"  # its newest wheel holds the module
    ANOTHER = "another"  # it does not
    NO_WHEEL = "no-wheel"
    ABSENT = "absent"
    UNREAD = "unread"  # nobody could look
    NAMESAKE = "namesake"  # known to be something else, or decided by mmlock itself


_WHY = {
    Looked.ANOTHER: "what the index has under that name does not hold the module",
    Looked.NO_WHEEL: "the index has only sources under that name, which are not run to ask them",
    Looked.ABSENT: "the index has nothing under that name",
    Looked.UNREAD: "whether the index has it could not be read",
    Looked.NAMESAKE: "the index has another project under that name",
}


class Found(Struct, frozen=True, kw_only=True):
    """A guess, and what became of it."""

    guess: Guess
    looked: Looked

    @property
    def holds(self) -> bool:
        """Whether the lock takes it in."""
        return self.looked is Looked.BRINGS

    @property
    def asked(self) -> Asked:
        """The guess as a requirement."""
        return Asked(name=self.guess.name, origin=f"{self.guess.place} imports {self.guess.module}: a guess")

    @property
    def pin(self) -> PinNote:
        """The guess in the table of what the project says."""
        module = self.guess.module
        why = f"`{module}` is imported and declared nowhere; the newest wheel of that name holds it: a guess"
        return PinNote(place=self.guess.place, text=str(self.guess.name), role=PinRole.GUESSED, why=why)

    @property
    def note(self) -> tuple[str, str]:
        """Why it is not in the lock, with its place."""
        told = f"`{self.guess.module}` is imported but not declared, and {_WHY[self.looked]}"
        return self.guess.place, f"{told}: add its distribution with `--with NAME`, if the lock lacks it"


def look_up(matrix: Matrix, guesses: Iterable[Guess], indexes: Indexes) -> tuple[Found, ...]:
    """What the ordinary index says of each."""
    some = list(guesses)
    others = {*core_packages(matrix), *matrix.described, *namesakes(matrix)}
    if indexes.offline:
        return tuple(Found(guess=one, looked=Looked.UNREAD) for one in some)
    workers = Workers(_AT_ONCE)
    try:
        told = [workers.submit(_looked, one, indexes, others) for one in some[:_MOST]]
        looked = [future.result() for future in told]
    finally:
        workers.end(patient=False)
    looked += [Looked.UNREAD] * (len(some) - len(looked))
    return tuple(Found(guess=one, looked=what) for one, what in zip(some, looked, strict=True))


def _looked(guess: Guess, indexes: Indexes, others: Collection[str]) -> Looked:
    if guess.name in others:
        return Looked.NAMESAKE
    page = indexes.page(guess.name)
    if isinstance(page, LookupFault):
        return Looked.ABSENT if page.kind is LookupKind.NOT_FOUND else Looked.UNREAD
    wheel = _newest(page.files, guess.name)
    if wheel is None:
        return Looked.NO_WHEEL if page.files else Looked.ABSENT
    try:
        paths = Archive(Remote(indexes.client, wheel.url, budget=_BUDGET)).members
    except Unreadable:
        return Looked.UNREAD
    return Looked.BRINGS if brings(paths, guess.module) else Looked.ANOTHER


def _newest(files: Iterable[Artifact], name: PackageName) -> Artifact | None:
    """The wheel of the newest final release; of several the first by name."""
    wheels = [
        (release, file)
        for file in files
        if file.is_wheel and not file.yanked and (release := file_version(file.name, name)) is not None
    ]
    final = [one for one in wheels if not one[0].is_prerelease] or wheels
    if not final:
        return None
    newest = max(release for release, _ in final)
    return min((file for release, file in final if release == newest), key=lambda file: file.name)


def brings(paths: Iterable[str], module: str) -> bool:
    """Whether the files of a wheel give an import name: a package, a file, or a compiled file."""
    return any(_gives(path.removeprefix(module)) for path in _placed(paths) if path.startswith(module))


def _gives(rest: str) -> bool:
    """Whether what follows a module's name in a path makes it a package, a file or a compiled file."""
    if rest.startswith("/"):
        return rest.endswith((".py", *_COMPILED))
    return rest == ".py" or _COMPILED_FILE.fullmatch(rest) is not None


_COMPILED = (".so", ".pyd")
_COMPILED_FILE = re.compile(r"\.(?:[\w-]{1,100}\.)?(?:so|pyd)")


def _placed(paths: Iterable[str]) -> Iterator[str]:
    """The paths as they are installed: what is in `NAME.data/purelib` lands beside the rest."""
    for path in paths:
        yield re.sub(r"^[^/]+\.data/(?:purelib|platlib)/", "", path)
