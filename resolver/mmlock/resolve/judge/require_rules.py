"""Rules about declared requirements between packages whose metadata is recorded."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import Requirement

from mmlock.core.markers import NEWEST_PATCH, named_extras, requirement
from mmlock.core.names import Confidence, PackageName, Platform, normalize
from mmlock.lock.model import FindingKind
from mmlock.resolve.judge.break_rules import applies
from mmlock.resolve.judge.judged_lock import JudgedLock, Node, admits, refuse, unknown
from mmlock.resolve.judge.model import Objection, Rule

__all__ = ["extras", "requirements"]

_SYSTEM = {
    "linux": ("linux", "Linux", "posix"),
    "macosx": ("darwin", "Darwin", "posix"),
    "win": ("win32", "Windows", "nt"),
}
_MACHINE = {
    Platform.LINUX_X86_64: "x86_64",
    Platform.LINUX_AARCH64: "aarch64",
    Platform.MACOS_ARM64: "arm64",
    Platform.MACOS_X86_64: "x86_64",
    Platform.WINDOWS_X86_64: "AMD64",
}


def requirements(lock: JudgedLock) -> Iterator[Objection]:
    """What the decided packages require is in the lock, in a version they admit."""
    given_up = {name for row in lock.matrix.breaks if applies(lock, row) for name in row.drop}
    requested = _asked_extras(lock)
    for node in lock.nodes.values():
        declared = _declared(lock, node)
        if declared is None:
            continue
        texts, source = declared
        for text in texts:
            yield from _requirement(lock, node, text, source, given_up, requested.get(node.name, frozenset()))


def extras(lock: JudgedLock) -> Iterator[Objection]:
    """What was asked as an extra is an extra of the locked release, or the lock says that it is none."""
    for word in lock.env.request:
        one = None if word.startswith("-") else requirement(word)
        node = lock.nodes.get(normalize(one.name)) if one else None
        rows = lock.matrix.requires(node.name) if node else ()
        if (
            one is None
            or node is None
            or not rows
            or (one.marker and not one.marker.evaluate(_markers(lock)))
        ):
            continue
        own = [row for row in rows if row.version == node.base]
        has = {name for row in own for name in (*row.extras, *named_extras(row.requires))}
        for extra in sorted({normalize(name) for name in one.extras} - has):
            if not _says_missing(lock, node.name, extra):
                text = f"{node.name} {node.version} has no extra `{extra}`, and the lock does not warn of it"
                yield refuse(Rule.EXTRAS, node.name, text)


def _says_missing(lock: JudgedLock, package: PackageName, extra: str) -> bool:
    """Whether the lock warns that a requested extra is not one of the release."""
    return any(
        finding.kind is FindingKind.MISSING_EXTRA and (finding.subject, finding.detail) == (package, extra)
        for finding in lock.env.findings
    )


def _asked_extras(lock: JudgedLock) -> dict[PackageName, frozenset[str]]:
    """The extras that the request and, through them, the packages ask of each other."""
    wanted: dict[PackageName, set[str]] = {}
    queue = [one for word in lock.env.request if not word.startswith("-") and (one := requirement(word))]
    while queue:
        one = queue.pop()
        name = normalize(one.name)
        known = wanted.setdefault(name, set())
        new = {normalize(extra) for extra in one.extras} - known
        if not new or (one.marker is not None and not one.marker.evaluate(_markers(lock))):
            continue
        known |= new
        declared = _declared(lock, lock.nodes[name]) if name in lock.nodes else None
        for inner in (
            r for text in (declared[0] if declared else ()) if (r := requirement(text)) and r.marker
        ):
            if inner.marker and any(inner.marker.evaluate(_markers(lock, extra)) for extra in new):
                queue.append(Requirement(str(inner).partition(";")[0]))
    return {name: frozenset(extras) for name, extras in wanted.items()}


def _declared(lock: JudgedLock, node: Node) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Recorded Requires-Dist of a package and who recorded it."""
    platform = lock.env.target.platform
    rows = [row for row in lock.matrix.requires(node.name) if row.version == node.base]
    if node.name == "torch" and (lock.build is None or not lock.build.on_pypi):
        # What is recorded without a variant is PyPI's build; others need other nvidia packages. What was only
        # concluded of those is good enough to put into a lock, and not to refuse one.
        variant = lock.build.variant if lock.build else None
        rows = [row for row in rows if row.variant == variant and row.confidence is not Confidence.INFERRED]
        if not rows:
            return None
    else:
        rows = [row for row in rows if row.variant is None]
    own = [row for row in rows if row.platform is platform] or [row for row in rows if row.platform is None]
    if own:
        return own[0].requires, lock.cite("requires", own[0].source, node.name)
    for row in lock.matrix.releases(node.name):
        if row.version == node.base:
            return row.requires, lock.cite("releases", row.source, node.name)
    return None


def _requirement(
    lock: JudgedLock,
    node: Node,
    text: str,
    source: tuple[str, ...],
    given_up: set[PackageName],
    extras: frozenset[str],
) -> Iterator[Objection]:
    wanted = requirement(text)
    if wanted is None:
        yield unknown(Rule.REQUIRES, node.name, f"{node.name} has an invalid requirement: `{text}`", source)
        return
    marker = wanted.marker
    if marker is not None and not any(marker.evaluate(_markers(lock, extra)) for extra in ("", *extras)):
        return
    name = normalize(wanted.name)
    other = lock.nodes.get(name)
    if other is None:
        if name not in given_up and not _stand_in(lock, name):
            text = f"{node.name} {node.version} requires {text}, which is not locked"
            yield refuse(Rule.REQUIRES, node.name, text, source)
    elif not admits(str(wanted.specifier), lock.env.torch if name == "torch" else other.version):
        text = f"{node.name} {node.version} requires {text}, but the lock has {other.version}"
        yield refuse(Rule.REQUIRES, node.name, text, source)


def _stand_in(lock: JudgedLock, name: PackageName) -> bool:
    """Whether another distribution of the same module is there instead."""
    return any(
        name in module.packages and any(other in lock.nodes for other in module.packages)
        for module in lock.matrix.modules
    )


def _markers(lock: JudgedLock, extra: str = "") -> dict[str, str]:
    """The marker environment of the target, not of this machine."""
    platform = lock.env.target.platform
    sys_platform, system, os_name = _SYSTEM[platform.value.partition("_")[0]]
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{lock.python}.{NEWEST_PATCH}",
        "os_name": os_name,
        "platform_machine": _MACHINE[platform],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": f"{lock.python}.{NEWEST_PATCH}",
        "python_version": lock.python,
        "sys_platform": sys_platform,
        "extra": extra,
    }
