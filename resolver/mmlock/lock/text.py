"""A lock as plain text: what `mmlock solve` and `mmlock why` print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import shorten

from mmlock.core.footnotes import Footnotes
from mmlock.core.names import Confidence
from mmlock.lock.formats.parts import describe_target
from mmlock.lock.formats.why_pins import pins_line
from mmlock.lock.model import PIN_KINDS, BuildStep, FetchStep, LockedEnv, LockedPackage, Reason
from mmlock.lock.view import chosen, closure, in_order, verdict_sentence

__all__ = ["summary", "why_package"]

_REASON_WIDTH = 90


def summary(env: LockedEnv, folder: Path | None = None) -> str:
    """What was chosen, what is missing, what to do next."""
    return "\n".join(_summary(env, folder)) + "\n"


def _summary(env: LockedEnv, folder: Path | None) -> Iterator[str]:
    yield f"{env.stack} on {describe_target(env)}"
    yield ""
    rows = [(c.name, c.version, c.how, _short(c.headline)) for c in chosen(env)]
    yield from _columns(rows)
    if env.conda:
        channels = ", ".join(channel.rpartition("/")[2] for channel in env.channels)
        others = len(env.conda) - len(env.conda_core)
        yield f"  and {others} packages of {channels}, {len(closure(env))} of PyPI"
    else:
        yield f"  and {len(closure(env))} dependencies"
    if not env.sealed:
        yield ""
        yield "not sealed yet (to build or download):"
        yield from (f"  {line}" for line in _steps(env))
    if env.environment:
        yield ""
        yield "environment variables to set:"
        yield from (f"  {name}={value}" for name, value in sorted(env.environment.items()))
    if env.findings:
        yield ""
        told = [finding for finding in env.findings if finding.kind not in PIN_KINDS]
        yield from (f"{finding.level}: {finding.subject}: {finding.text}" for finding in told)
        yield from pins_line(env)
    yield ""
    if env.advisories:
        yield known_vulnerabilities(env)
    yield verdict_sentence(env)
    if folder is not None:
        yield from _next(env, folder)


def _steps(env: LockedEnv) -> Iterator[str]:
    for step in in_order([*env.fetch, *env.build]):
        if isinstance(step, FetchStep):
            what = "download, no published hash"
        else:
            what = f"{step.form}, {'tested' if step.verified else 'untested'} recipe"
        yield f"{step.package} {step.version}: {what} ({step.why})"


def known_vulnerabilities(env: LockedEnv) -> str:
    """How many there are and how bad the worst is, in one line."""
    found = env.advisories
    worst = found[0]
    packages = ", ".join(dict.fromkeys(str(one.package) for one in found))
    rated = f"worst: {worst.severity}, {worst.id}" if worst.severity else "none is rated"
    what = "1 known vulnerability" if len(found) == 1 else f"{len(found)} known vulnerabilities"
    return f"{what} of {packages} ({rated}); why.md lists them, `--no-known-cve` avoids them"


def _next(env: LockedEnv, folder: Path) -> Iterator[str]:
    yield f"lock: {folder}"
    if env.sealed:
        way = "mmlock install {0}" if env.conda else "uv pip sync {0}/pylock.toml"
        yield f"next: {way.format(folder)}"
    else:
        yield f"next: mmlock build {folder}"


# ---------------------------------------------------------------- one package


def why_package(env: LockedEnv, name: str) -> str | None:
    """Why a package is in the lock, in which version and form; None when it is not in it.

    `name` must be in normal form.
    """
    notes = Footnotes()
    lines = list(_why(env, name, notes))
    if not lines:
        return None
    if cited := notes.lines():
        lines += ["", "sources:", *(f"  {line}" for line in cited)]
    return "\n".join(lines) + "\n"


def _why(env: LockedEnv, name: str, notes: Footnotes) -> Iterator[str]:
    for package in env.packages:
        if package.name == name:
            yield from _why_package(env, package, notes)
            return
    for step in env.steps:
        if step.package == name:
            yield from _why_step(env, step, notes)
            return
    decided = {choice.conda: choice for choice in env.conda_core}
    for one in env.conda:
        choice = decided.get(one.name)
        if name in {one.name.replace("_", "-").replace(".", "-"), choice.name if choice else ""}:
            yield f"{one.name} {one.version} {one.build} (conda, {one.channel})"
            yield from _reasons(choice.reasons if choice else (), notes)
            users = sorted(p.name for p in env.conda if any(s.split(" ")[0] == one.name for s in p.depends))
            if users:
                yield f"  required by: {', '.join(users)}"
            yield f"  file: {one.file}"
            return


def _why_package(env: LockedEnv, package: LockedPackage, notes: Footnotes) -> Iterator[str]:
    yield f"{package.name} {package.version} ({package.form.value})"
    yield from _reasons(package.reasons, notes)
    if package.via:
        yield f"  required by: {', '.join(package.via)}"
        yield from _chain(env, package.name)
    yield from (f"  file: {file.name}" for file in package.files[:1])
    if more := len(package.files) - 1:
        yield f"        and {more} more that fit{'s' if more == 1 else ''}"


def _why_step(env: LockedEnv, step: FetchStep | BuildStep, notes: Footnotes) -> Iterator[str]:
    what = "download" if isinstance(step, FetchStep) else step.form.value
    yield f"{step.package} {step.version} ({what}, not sealed yet)"
    yield f"  {step.why}"
    yield from _reasons(step.reasons, notes)
    if isinstance(step, FetchStep):
        yield f"  file: {step.url}"
    else:
        yield f"  recipe: {step.recipe} ({f'tested: {step.verified}' if step.verified else 'untested'})"
    yield from _users(env, step.package)


def _chain(env: LockedEnv, name: str) -> Iterator[str]:
    """How the request leads to a package: `numpy <- matplotlib <- mmdet <- the request`."""
    via: dict[str, tuple[str, ...]] = {package.name: package.via for package in env.packages}
    core = {node.name for node in chosen(env)}
    # Steps are in the lock too, though nobody notes who requires them.
    via = dict.fromkeys(core, ()) | via
    path, seen = [name], {name}
    while requirers := [parent for parent in via.get(path[-1], ()) if parent not in seen]:
        # A user's own words end the chain; prefer them, then a decided package, then the first name.
        path.append(min(requirers, key=lambda parent: (parent in via, parent not in core, parent)))
        seen.add(path[-1])
    if len(path) > 2:  # noqa: PLR2004  a chain of two only repeats the line above it
        yield f"  chain: {' <- '.join(path)}"


def _users(env: LockedEnv, name: str) -> Iterator[str]:
    users = sorted(package.name for package in env.packages if name in package.via)
    if users:
        yield f"  requires: {', '.join(users)}"


def _reasons(reasons: Iterable[Reason], notes: Footnotes) -> Iterator[str]:
    for reason in reasons:
        sure = "" if reason.confidence is Confidence.MEASURED else f" ({reason.confidence})"
        marks = notes.mark(reason.source)
        yield f"  {reason.text}{sure}{f' {marks}' if marks else ''}"


# ---------------------------------------------------------------- layout


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))] if rows else []
    for row in rows:
        yield f"  {'  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))}".rstrip()


def _short(text: str) -> str:
    return shorten(text, _REASON_WIDTH, placeholder="...")
