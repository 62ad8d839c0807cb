"""Why a lock moved: the one thing that the rest of it follows. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from packaging.version import InvalidVersion, Version

from mmlock.core.names import StrEnum
from mmlock.lock.model import LockedEnv
from mmlock.lock.view import Chosen, chosen
from mmlock.upkeep.lock_diff import LockDiff
from mmlock.upkeep.update.policy import Group

__all__ = ["Cause", "CauseKind", "Knob", "cause_of", "in_precedence"]


class Knob(StrEnum):
    """What was turned: everything else stayed as it is committed."""

    FACTS = "facts"  # other facts, the same `exclude-newer`
    DATE = "date"  # a later `exclude-newer`, the same facts


class CauseKind(StrEnum):
    """What a pull request is about, the most urgent first."""

    SECURITY = "security"  # a known vulnerability is closed
    CORE = "core"  # torch, mmcv and what else the facts decide
    GROUP = "group"  # a group of the policy
    FACTS = "facts"  # facts changed what follows from the same core
    PACKAGES = "packages"  # ordinary packages: a later `exclude-newer`
    NEW = "new"  # there was no lock


_ORDER = tuple(CauseKind)


class Cause(Struct, frozen=True, kw_only=True):
    """One thing that moved locks."""

    kind: CauseKind
    knob: Knob
    name: str = ""
    """The package, group or advisory."""
    version: str = ""
    """The package's new version, without its variant."""

    @property
    def slug(self) -> str:
        """A name for branches: lower-case letters, digits, dots and hyphens."""
        if self.kind is CauseKind.CORE:
            by = "-by-date" if self.knob is Knob.DATE else ""
            return f"{self.name}-{self.version or 'removed'}{by}"
        return f"{self.kind.value}-{self.name}" if self.name else self.kind.value

    @property
    def title(self) -> str:
        if self.kind is CauseKind.CORE:
            return f"{self.name} {self.version}" if self.version else f"without {self.name}"
        return {
            CauseKind.SECURITY: f"{self.name} (security)",
            CauseKind.GROUP: f"group {self.name}",
            CauseKind.FACTS: "what changed facts say",
            CauseKind.PACKAGES: "ordinary packages",
            CauseKind.NEW: "locks of new pairs",
        }[self.kind]

    @property
    def rank(self) -> tuple[int, str, str]:
        """The order in which pull requests are opened when not all may be."""
        return _ORDER.index(self.kind), self.name, self.version


def cause_of(
    old: LockedEnv | None, new: LockedEnv, diff: LockDiff, *, knob: Knob, groups: Iterable[Group] = ()
) -> Cause:
    """What leads a change: a decided package before ordinary ones, one that others require before these."""
    if old is None:
        return Cause(kind=CauseKind.NEW, knob=knob)
    moved = {change.name for change in (*diff.packages, *diff.steps)}
    for group in groups:
        if moved & group.packages:
            return Cause(kind=CauseKind.GROUP, knob=knob, name=group.name)
    before = {one.name: one for one in chosen(old)}
    after = {one.name: one for one in chosen(new)}
    leading = [
        name
        for name in {*before, *after}
        if name in moved and _content(before.get(name)) != _content(after.get(name))
    ]
    if not leading:
        return Cause(kind=CauseKind.FACTS if knob is Knob.FACTS else CauseKind.PACKAGES, knob=knob)
    users = {name: len((after.get(name) or before[name]).via) for name in leading}
    first = min(leading, key=lambda name: in_precedence(name, users[name]))
    now = after.get(first)
    return Cause(kind=CauseKind.CORE, knob=knob, name=first, version=_public(now.version) if now else "")


def in_precedence(name: str, users: int) -> tuple[bool, int, str]:
    """A key: torch first, as all compiled code follows it, then what most others require."""
    return name != "torch", -users, name


def _content(one: Chosen | None) -> tuple[str, str] | None:
    return None if one is None else (one.version, one.how)


def _public(text: str) -> str:
    try:
        return Version(text).public
    except InvalidVersion:
        return text.partition("+")[0]
