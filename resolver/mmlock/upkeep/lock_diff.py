"""What differs between two locks: target, packages with the reason for each, steps, variables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct

from mmlock.core.names import StrEnum
from mmlock.lock.formats.parts import describe_target
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv, LockedPackage
from mmlock.lock.view import chosen

__all__ = ["LockChange", "LockChangeKind", "LockDiff", "diff_lines", "diff_locks"]


class LockChangeKind(StrEnum):
    """What became of a package, a step or a variable."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"  # another version or value
    FILES = "files"  # the same version, other files or another way to make it


class LockChange(Struct, frozen=True, kw_only=True):
    """One thing that is otherwise in the new lock."""

    kind: LockChangeKind
    name: str
    old: str | None = None
    new: str | None = None
    why: str | None = None
    """In the words of the new lock; for what is removed, what became of those that needed it."""


class LockDiff(Struct, frozen=True, kw_only=True):
    """Everything that differs."""

    target: tuple[LockChange, ...]
    """Devices and platform, Python, torch, the oldest driver, the stack."""
    packages: tuple[LockChange, ...]
    steps: tuple[LockChange, ...]
    environment: tuple[LockChange, ...]

    @property
    def differs(self) -> bool:
        return bool(self.target or self.packages or self.steps or self.environment)


def diff_locks(old: LockedEnv, new: LockedEnv) -> LockDiff:
    """Compare two locks. What they say about themselves (reasons, findings) is not compared."""
    before, after = _target(old), _target(new)
    return LockDiff(
        target=tuple(
            LockChange(kind=LockChangeKind.CHANGED, name=name, old=before[name], new=after[name])
            for name in before
            if before[name] != after[name]
        ),
        packages=tuple(_compared(_packages(old), _packages(new), lambda name: _gone(name, old, new))),
        steps=tuple(_compared(_steps(old), _steps(new), lambda name: _no_step(name, new))),
        environment=tuple(_compared(_variables(old), _variables(new), lambda _: _NO_VARIABLE)),
    )


class _Item(Struct, frozen=True, kw_only=True):
    version: str
    content: object
    """Whatever else makes two of the same version different."""
    why: str | None = None


def _target(env: LockedEnv) -> dict[str, str | None]:
    return {
        "stack": env.stack,
        "target": describe_target(env),
        "Python": env.python,
        "torch": env.torch,
        "oldest driver": env.driver_floor,
    }


def _packages(env: LockedEnv) -> dict[str, _Item]:
    headlines = {one.name: one.headline for one in chosen(env)}
    return {
        package.name: _Item(
            version=package.version,
            content=tuple((file.name, file.sha256) for file in package.files),
            why=headlines.get(package.name) or _via(package),
        )
        for package in env.packages
    }


def _via(package: LockedPackage) -> str | None:
    return f"required by {', '.join(package.via)}" if package.via else None


_NO_VARIABLE = "nothing in the new lock needs it"


def _gone(name: str, old: LockedEnv, new: LockedEnv) -> str:
    """Why a package is not among the files of the new lock: what became of those that needed it."""
    if (step := next((step for step in new.steps if step.package == name), None)) is not None:
        return f"still to {'download' if isinstance(step, FetchStep) else 'build'} in the new lock"
    versions: dict[str, str] = {one.name: one.version for one in new.packages}
    versions |= {step.package: step.version for step in new.steps}
    before: dict[str, str] = {one.name: one.version for one in old.packages}
    before |= {step.package: step.version for step in old.steps}
    parts = []
    for user in next(one.via for one in old.packages if one.name == name):
        if user not in versions:
            parts.append(f"{user}, which needs it, is not in the new lock")
        elif versions[user] != before.get(user):
            parts.append(f"{user} {versions[user]} does not need it")
        else:
            parts.append(f"{user} does not need it in the new lock")
    return "; ".join(parts) or "nothing requests it"


def _no_step(name: str, new: LockedEnv) -> str:
    """Why nothing has to be made of a package any more."""
    there = any(package.name == name for package in new.packages)
    return "the new lock has its wheel, with a hash" if there else "it is not in the new lock"


def _steps(env: LockedEnv) -> dict[str, _Item]:
    return {
        step.package: _Item(version=f"{step.version} ({_what(step)})", content=_content(step), why=step.why)
        for step in env.steps
    }


def _what(step: FetchStep | BuildStep) -> str:
    return "download" if isinstance(step, FetchStep) else step.form.value


def _content(step: FetchStep | BuildStep) -> object:
    """What a step does, without the words about it."""
    if isinstance(step, FetchStep):
        return step.url, step.alternatives
    fields = ("recipe", "source", "build_requires", "toolchain", "env", "patches", "std", "tools", "ops")
    return tuple(getattr(step, field) for field in fields)


def _variables(env: LockedEnv) -> dict[str, _Item]:
    why = env.environment_reasons[0].text if env.environment_reasons else None
    return {name: _Item(version=value, content=None, why=why) for name, value in env.environment.items()}


def _compared(
    old: Mapping[str, _Item], new: Mapping[str, _Item], gone: Callable[[str], str]
) -> Iterator[LockChange]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            yield LockChange(kind=LockChangeKind.ADDED, name=name, new=after.version, why=after.why)
        elif after is None and before is not None:
            yield LockChange(kind=LockChangeKind.REMOVED, name=name, old=before.version, why=gone(name))
        elif before is not None and after is not None and before.content != after.content:
            same = before.version == after.version
            yield LockChange(
                kind=LockChangeKind.FILES if same else LockChangeKind.CHANGED,
                name=name,
                old=before.version,
                new=after.version,
                why=after.why,
            )
        elif before is not None and after is not None and before.version != after.version:
            yield LockChange(
                kind=LockChangeKind.CHANGED, name=name, old=before.version, new=after.version, why=after.why
            )


# ---------------------------------------------------------------- text


def diff_lines(diff: LockDiff) -> Iterator[str]:
    """For people: a heading for each part that differs."""
    parts = (
        ("target", diff.target),
        ("packages", diff.packages),
        ("still to build or download", diff.steps),
        ("environment variables", diff.environment),
    )
    for title, changes in parts:
        if changes:
            yield f"{title}:"
            yield from (f"  {line}" for line in _lines(changes))
    if not diff.differs:
        yield "the locks install the same"


def _lines(changes: Iterable[LockChange]) -> Iterator[str]:
    for one in changes:
        if one.kind is LockChangeKind.ADDED:
            line = f"+ {one.name} {one.new}"
        elif one.kind is LockChangeKind.REMOVED:
            line = f"- {one.name} {one.old}"
        elif one.kind is LockChangeKind.FILES:
            line = f"~ {one.name} {one.new}: other files or steps"
        else:
            line = f"~ {one.name} {one.old or 'none'} -> {one.new or 'none'}"
        yield f"{line}  ({one.why})" if one.why else line
