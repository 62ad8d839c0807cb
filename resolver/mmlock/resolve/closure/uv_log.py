"""uv's words, read: the steps of its resolver, and its errors. Pure.

The steps are a log, not an interface: a uv that words them otherwise costs the `via` of packages and
the progress, never the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct, field

from mmlock.core.names import PackageName, normalize
from mmlock.core.progress import Progress, silent
from mmlock.net.credentials import redact
from mmlock.resolve.closure.model import ClosureConflict, ClosureRequest, CoreNode, NoWheel

_EDGE = re.compile(r"DEBUG Adding transitive dependency for ([\w.-]+)(?:\[[^\]]*\])?==([^\s:]+): ([\w.-]+)")
_LOOK = re.compile(r"DEBUG Searching for a compatible version of ([\w.-]+)")
_TOKEN = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?")
_DISABLED = re.compile(r"network (connectivity )?(is|was) disabled", re.IGNORECASE)
_BUILD = re.compile(r"^error: Failed to (download and )?build|build backend returned an error", re.MULTILINE)
_NETWORK = re.compile(
    r"^(?:error|[ \t]*cause): (?:Failed to fetch\b|Failed to extract archive|Request failed"
    r"|error sending request|error decoding response|HTTP status|operation timed out)",
    re.MULTILINE,
)
"""Lines of uv's errors that speak of the way to a file and not of what is in it."""
_UNBUILT = re.compile(
    r"^(?:error: )?Failed to (?:download and )?build `([A-Za-z0-9._-]+)(?:==| @ )([^`]+)`", re.MULTILINE
)
_RAISED = re.compile(r"\s*[\w.]*(?:Error|Exception|Exit)\b.*")
_NOT_FOUND = re.compile(r"(?<![\w.-])([A-Za-z0-9._-]+) was not found in the package registry")
_NO_WHEEL = re.compile(r"(?<![\w.=<>!~-])([A-Za-z0-9._-]+?)(?:==(\S+))? ha(?:s|ve) no usable wheels")
_WHEELS_ONLY = re.compile(r"Wheels are required for `([^`]+)`")
_FLAG_ASIDE = re.compile(r" \(i\.e\., with [^()]*\)")


class Steps(Struct, kw_only=True):
    """What the resolver did, gathered line by line."""

    progress: Progress = silent
    edges: set[tuple[PackageName, str, PackageName]] = field(default_factory=set)
    """(who, its version, what it requires), of every version that was looked at."""
    seen: set[PackageName] = field(default_factory=set)

    def feed(self, line: str) -> None:
        if match := _EDGE.match(line):
            self.edges.add((normalize(match[1]), match[2], normalize(match[3])))
        elif (match := _LOOK.match(line)) and (name := normalize(match[1])) not in self.seen:
            self.seen.add(name)
            self.progress(f"resolving {name} ({len(self.seen)} packages so far)")

    @property
    def spoken_of(self) -> set[PackageName]:
        """Every package the resolver looked at or was asked for."""
        return self.seen | {what for _, _, what in self.edges}

    def requirers(self, chosen: dict[PackageName, str]) -> dict[PackageName, set[PackageName]]:
        """Who requires each package, among the versions that were chosen."""
        requirers: dict[PackageName, set[PackageName]] = {}
        for who, version, what in self.edges:
            if chosen.get(who) == version and who != what:
                requirers.setdefault(what, set()).add(who)
        return requirers


class Failure(Enum):
    """Why uv gave no answer."""

    NO_SOLUTION = "no solution"
    OFFLINE = "offline"
    UNREACHABLE = "unreachable"


def classify(err: str) -> Failure:
    """What kind of failure uv's error is."""
    if "Couldn't parse requirement" in err:
        return Failure.NO_SOLUTION
    found_none = "No solution found" in err
    if _of_network(err) or not (found_none or _BUILD.search(err)):
        # "network connectivity is disabled" is what it says of a file that is not cached.
        return Failure.OFFLINE if _DISABLED.search(err) else Failure.UNREACHABLE
    if not found_none:
        return Failure.NO_SOLUTION
    if "the network was disabled" in err:
        return Failure.OFFLINE
    if "could not be queried due to" in err:
        return Failure.UNREACHABLE
    return Failure.NO_SOLUTION


def explanation(err: str, core: Iterable[CoreNode]) -> str:
    """The reasons uv gives, as sentences: no prefixes, no warnings, no paths of files made for the run."""
    lines: list[str] = []
    own = _own_lines(err)
    if _BUILD.search(err) and not _of_network(err):
        # Of what the build backend said, the exception is enough.
        own = [*own[:1], *[line for line in own[1:] if _RAISED.fullmatch(line)][-1:]]
    for line in own:
        text = re.sub(r"^(error|\s*cause):\s*", "", line).strip()
        if text and not text.startswith("No solution found when resolving dependencies"):
            lines.append(_FLAG_ASIDE.sub("", text))
    return name_core(redact("\n".join(lines)), core)


def name_core(text: str, core: Iterable[CoreNode]) -> str:
    """The text with the stand-in files of core nodes called what they are."""
    for node in core:
        name, pinned = re.escape(node.name), f"{node.name}=={node.version}"
        text = re.sub(rf"\b{name} @ `?file://[^\s`]*`?", f"{pinned} (chosen by mmlock)", text)
        text = re.sub(rf"\bonly {name}(?=[<>=!~])\S+ is available", f"mmlock chose {pinned}", text)
    return text


def named_packages(
    reason: str, request: ClosureRequest, seen: Iterable[PackageName]
) -> tuple[PackageName, ...]:
    """The packages an explanation speaks of, sorted."""
    known = {node.name for node in request.core} | {*request.drop, *request.allow_sdist, *seen}
    for item in (*request.requirements, *request.constraints):
        if match := _TOKEN.match(item.text.strip()):
            known.add(normalize(match[0]))
    words = {normalize(token) for token in _TOKEN.findall(reason)}
    return tuple(sorted(words & known))


def conflict(reason: str, packages: tuple[PackageName, ...]) -> ClosureConflict:
    """What an explanation says, as a value."""
    missing = (NoWheel(name=normalize(name), version=pin or None) for name, pin in _NO_WHEEL.findall(reason))
    return ClosureConflict(
        reason=reason,
        packages=packages,
        unknown=tuple(sorted({normalize(name) for name in _NOT_FOUND.findall(reason)})),
        no_wheels=tuple(dict.fromkeys(missing)),
        wheels_only=tuple(dict.fromkeys(normalize(name) for name in _WHEELS_ONLY.findall(reason))),
        unbuilt=tuple(NoWheel(name=normalize(name), version=pin) for name, pin in _UNBUILT.findall(reason)),
    )


def unknown_pages(err: str) -> tuple[PackageName, ...]:
    """Packages whose index page was there and named no file at all."""
    return tuple(normalize(name) for name in re.findall(r"there are no versions of ([\w.-]+)(?= and|,)", err))


def denied_pages(err: str) -> tuple[PackageName, ...]:
    """Packages that no index had, where one of the indexes answered 403: it may have them."""
    if "403 Forbidden" not in err:
        return ()
    return tuple(normalize(name) for name in _NOT_FOUND.findall(err))


def unread_page(err: str) -> bool:
    """Whether uv got something that is no page, such as one redirect too many, and does not say what."""
    return "Content-Type" in err


def _of_network(err: str) -> bool:
    """Whether the error, apart from its warnings, is of the way to a page or file: also within a build."""
    return _NETWORK.search("\n".join(_own_lines(err))) is not None


def _own_lines(err: str) -> list[str]:
    """The error without what came before it, and without its warnings."""
    lines = err.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith("error:")), 0)
    return [
        line for line in lines[start:] if not line.startswith(("warning:", "DEBUG", "For more information"))
    ]
