"""`[update]` of `mmlock.toml`: when, how many and which pull requests. Text in, values out.

[update]
schedule = ["* 0-5 * * 1"]           # cron windows in which pull requests are opened; empty: always
timezone = "UTC"
minimum-release-age = "3 days"       # `exclude-newer` becomes now less this
limit-open = 10                      # pull requests open at once; 0: no limit
limit-hour = 4                       # opened within an hour; 0: no limit
split = "cause"                      # one pull request per cause, and per `stack` or `target`
ignore = ["opencv-python"]           # a lock in which one of these moves is not proposed
allowed = ["torch<2.13"]             # nor one in which a package leaves its range
validate = ["cpu"]                   # targets whose locks are built and run before they are proposed
automerge = ["cpu"]                  # merge what was validated, where all targets are among these
labels = ["dependencies"]
reviewers = ["ada"]
branch-prefix = "mmlock/"
commit-message = "{title}"
rebase-when = "behind"               # or `conflicted`
[[update.groups]]                    # these move together, as one cause of that name
name = "openmmlab"
packages = ["mmcv", "mmdet"]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.faults import Fault, usage_error
from mmlock.core.names import PackageName, StrEnum, normalize
from mmlock.upkeep.update.schedule import parse_age, parse_window, parse_zone

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["KEYS", "Group", "Policy", "Rebase", "Split", "parse_policy"]

# `git check-ref-format`, and nothing that a shell, a URL or a glob would read otherwise.
_PREFIX = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_-]{0,60}/){0,6}[A-Za-z0-9][A-Za-z0-9_-]{0,60}[/-]")
_USER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?")
_WORD = re.compile(r"[a-z0-9][a-z0-9.-]*")
_LABEL_LENGTH = 50
_FIELDS = frozenset({"title", "cause"})
Parsed = TypeVar("Parsed")


class Split(StrEnum):
    """How far the locks of one cause are put apart."""

    CAUSE = "cause"
    STACK = "stack"
    TARGET = "target"


class Rebase(StrEnum):
    """When a branch is made again although its locks are the same."""

    BEHIND = "behind"
    CONFLICTED = "conflicted"


class Group(Struct, frozen=True, kw_only=True):
    """Packages that are one cause."""

    name: str
    packages: frozenset[PackageName]


class Policy(Struct, frozen=True, kw_only=True):
    """What a project wants of its update pull requests."""

    schedule: tuple[str, ...] = ()
    timezone: ZoneInfo = ZoneInfo("UTC")
    minimum_release_age: timedelta = timedelta(days=3)
    limit_open: int = 10
    limit_hour: int = 4
    split: Split = Split.CAUSE
    ignore: frozenset[PackageName] = frozenset()
    allowed: tuple[Requirement, ...] = ()
    validate: tuple[str, ...] = ()
    automerge: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    branch_prefix: str = "mmlock/"
    commit_message: str = "{title}"
    rebase_when: Rebase = Rebase.BEHIND
    groups: tuple[Group, ...] = ()

    def leaves_range(self, package: str, version: str) -> Requirement | None:
        """The range of `allowed` that a version is outside of; None: it may be proposed."""
        for one in self.allowed:
            inside = one.specifier.contains(version.partition("+")[0], prereleases=True)
            if normalize(one.name) == package and not inside:
                return one
        return None


class Key(Struct, frozen=True, kw_only=True):
    """One key of `[update]`, for the reader and for the reference page."""

    name: str
    value: str
    meaning: str


KEYS: tuple[Key, ...] = (
    Key(
        name="schedule",
        value="list of cron expressions",
        meaning="Windows in which pull requests are opened and branches pushed; empty: always.",
    ),
    Key(name="timezone", value="name", meaning="Of the schedule; default `UTC`."),
    Key(
        name="minimum-release-age",
        value="`3 days`, `12 hours`",
        meaning="`exclude-newer` becomes now less this; default `3 days`.",
    ),
    Key(
        name="limit-open",
        value="number",
        meaning="Pull requests of mmlock that may be open at once; 0: no limit; default 10.",
    ),
    Key(
        name="limit-hour",
        value="number",
        meaning="Pull requests opened within an hour; 0: no limit; default 4.",
    ),
    Key(
        name="split",
        value="`cause`, `stack` or `target`",
        meaning="One pull request per cause, or also per stack or target; default `cause`.",
    ),
    Key(
        name="ignore", value="list of packages", meaning="A lock in which one of these moves is not proposed."
    ),
    Key(
        name="allowed",
        value="list of requirements",
        meaning="A lock in which a package leaves its range is not proposed.",
    ),
    Key(
        name="validate",
        value="list of targets",
        meaning="Their locks are built, installed and their kernels run before a pull request opens.",
    ),
    Key(
        name="automerge",
        value="list of targets",
        meaning="Merge a pull request when all its targets are among these and all its locks were validated.",
    ),
    Key(name="labels", value="list of texts", meaning="Labels of the pull requests."),
    Key(name="reviewers", value="list of users", meaning="Who should review."),
    Key(name="branch-prefix", value="text", meaning="How the branches start; default `mmlock/`."),
    Key(
        name="commit-message",
        value="text",
        meaning="With `{title}` and `{cause}`; default `{title}`.",
    ),
    Key(
        name="rebase-when",
        value="`behind` or `conflicted`",
        meaning="When a branch is made again although its locks are the same; default `behind`.",
    ),
    Key(
        name="groups",
        value="tables `[[update.groups]]` with `name` and `packages`",
        meaning="When one of these packages moves, the cause is the group.",
    ),
)


def parse_policy(text: str, where: str, targets: frozenset[str]) -> Policy:
    """The policy in the text of a `mmlock.toml`. Raises UsageError with all faults.

    `targets`: the names that `validate` and `automerge` may have.
    """
    table = tomllib.loads(text.removeprefix("\ufeff")).get("update", {})
    reader = _Reader(table if isinstance(table, dict) else {}, f"{where}: update")
    if not isinstance(table, dict):
        reader.fault("", "must be a table")
    found = reader.read(targets)
    if reader.faults:
        raise usage_error(reader.faults)
    return found


class _Reader:
    """Collects the values of one table and what is wrong with it."""

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self.table = table
        self.where = where
        self.faults: list[Fault] = []

    def read(self, targets: frozenset[str]) -> Policy:
        names = {key.name for key in KEYS}
        for key in self.table:
            if key not in names:
                self.fault(key, "unknown key", f"expected one of {', '.join(sorted(names))}")
        usual = Policy()
        return Policy(
            schedule=tuple(
                self._each("schedule", parse_window, "is not a cron expression", '`"* 0-5 * * 1"`')
            ),
            timezone=self._one("timezone", parse_zone, "is not a time zone", "`Europe/Berlin`")
            or usual.timezone,
            minimum_release_age=self._age(usual.minimum_release_age),
            limit_open=self._number("limit-open", usual.limit_open),
            limit_hour=self._number("limit-hour", usual.limit_hour),
            split=self._choice("split", Split, usual.split),
            ignore=frozenset(normalize(text) for text in self._texts("ignore")),
            allowed=tuple(self._each("allowed", _bounded, "is not a package with a range", "`torch<2.13`")),
            validate=self._targets("validate", targets),
            automerge=self._targets("automerge", targets),
            labels=tuple(
                self._each("labels", _label, "cannot be a label", "at most 50 printable characters")
            ),
            reviewers=tuple(
                self._each("reviewers", _matched(_USER), "is not a user's name", "`ada` or `org/team`")
            ),
            branch_prefix=self._one(
                "branch-prefix", _matched(_PREFIX), "cannot start the name of a branch", "`mmlock/`"
            )
            or usual.branch_prefix,
            commit_message=self._one(
                "commit-message", _template, "is not one line with `{title}`", '`"deps: {title}"`'
            )
            or usual.commit_message,
            rebase_when=self._choice("rebase-when", Rebase, usual.rebase_when),
            groups=tuple(self._groups()),
        )

    # ------------------------------------------------------------ kinds of values

    def _age(self, usual: timedelta) -> timedelta:
        found = self._one("minimum-release-age", parse_age, "is not a time", "`3 days` or `12 hours`")
        return usual if found is None else found

    def _number(self, key: str, usual: int) -> int:
        value = self.table.get(key, usual)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.fault(key, "must be a number, not below 0", "such as `10`; 0: no limit")
            return usual
        return value

    def _choice(self, key: str, kind: type[Split | Rebase], usual: Any) -> Any:
        value = self.table.get(key)
        if value is None:
            return usual
        if value not in {str(one) for one in kind}:
            self.fault(key, "unknown value", f"expected one of {', '.join(str(one) for one in kind)}")
            return usual
        return kind(value)

    def _one(self, key: str, parse: Callable[[str], Parsed | None], said: str, such: str) -> Parsed | None:
        value = self.table.get(key)
        if value is None:
            return None
        found = parse(value) if isinstance(value, str) else None
        if found is None:
            self.fault(
                key, f"`{value}` {said}" if isinstance(value, str) else "must be text", f"such as {such}"
            )
        return found

    def _each(
        self, key: str, parse: Callable[[str], Parsed | None], said: str, such: str
    ) -> Iterator[Parsed]:
        for text in self._texts(key):
            found = parse(text)
            if found is None:
                self.fault(key, f"`{text}` {said}", f"such as {such}")
            else:
                yield found

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self.table.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value):
            return tuple(dict.fromkeys(value))
        self.fault(key, "must be a list of texts")
        return ()

    def _targets(self, key: str, known: frozenset[str]) -> tuple[str, ...]:
        found = self._texts(key)
        for name in found:
            if name not in known:
                self.fault(
                    key, f"`{name}` is no target of a stack", f"expected one of {', '.join(sorted(known))}"
                )
        return found

    def _groups(self) -> Iterator[Group]:
        value = self.table.get("groups", [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.fault("groups", "must be tables: [[update.groups]] with name and packages")
            return
        for place, item in enumerate(value):
            name, packages = item.get("name"), item.get("packages")
            whole = isinstance(packages, list) and packages and all(isinstance(one, str) for one in packages)
            if not isinstance(name, str) or not _WORD.fullmatch(name) or not whole or len(item) != 2:  # noqa: PLR2004
                self.fault(
                    f"groups[{place}]",
                    "needs a name of lower-case letters and digits, and packages",
                    'for example name = "openmmlab", packages = ["mmcv"]',
                )
                continue
            yield Group(name=name, packages=frozenset(normalize(one) for one in packages))

    def fault(self, key: str, text: str, hint: str | None = None) -> None:
        self.faults.append(Fault(where=f"{self.where}.{key}" if key else self.where, text=text, hint=hint))


def _bounded(text: str) -> Requirement | None:
    try:
        found = Requirement(text)
    except InvalidRequirement:
        return None
    plain = not found.extras and found.marker is None and found.url is None
    return found if plain and str(found.specifier) else None


def _label(text: str) -> str | None:
    return text if len(text) <= _LABEL_LENGTH and text.isprintable() else None


def _matched(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    return lambda text: text if pattern.fullmatch(text) else None


def _template(text: str) -> str | None:
    if not text.isprintable() or "{title}" not in text:
        return None
    left = text
    for field in _FIELDS:
        left = left.replace(f"{{{field}}}", "")
    return None if "{" in left or "}" in left else text
