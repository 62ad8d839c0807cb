"""An environment and its troubles as lines for a person, and as plain values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from mmlock.doctor.environment.model import (
    DeviceFault,
    Environment,
    FollowedLink,
    FollowedLinkKind,
    InstalledDeviceProblem,
    LocatedBy,
    Trouble,
    TroubleKind,
    TroubleSeverity,
)
from mmlock.doctor.model import Proposal
from mmlock.doctor.text import command_data, command_lines

_WIDTH = 110
SOUND = "no known problem in the files of the environment"
_KINDS = {
    FollowedLinkKind.INTERPRETER: "interpreter",
    FollowedLinkKind.SITE_FOLDER: "package folder",
    FollowedLinkKind.PACKAGE: "package",
    FollowedLinkKind.EDITABLE: "editable package",
}
_HOW = {
    LocatedBy.NAMED: "",
    LocatedBy.VIRTUAL_ENV: " (active: VIRTUAL_ENV names it)",
    LocatedBy.UV: " (UV_PROJECT_ENVIRONMENT names it)",
    LocatedBy.CONDA: " (active: CONDA_PREFIX names it)",
    LocatedBy.PROJECT: " (found in this project; another one: `--python PATH`)",
    LocatedBy.PATH: " (the first Python on PATH: this folder has no environment, and none is active)",
    LocatedBy.OWN: " (the Python that runs mmlock: no other was found)",
}
_MANY = 12
"""Notes and risks of one check that are shown in full."""


def environment_lines(
    env: Environment,
    troubles: Sequence[Trouble],
    holding: Sequence[str],
    commands: Sequence[Proposal],
    *,
    answered: bool = False,
) -> Iterator[str]:
    """The answer in two lines, then what was looked at, every trouble, and what holds.

    `answered`: the answer came from a text, and what is wrong follows.
    """
    if not answered:
        yield from _answer(troubles, commands)
        yield ""
    yield from _head(env)
    for trouble in _shortened(troubles):
        yield ""
        yield from _wrapped(f"{trouble.severity}: ", trouble.title)
        for text in trouble.evidence:
            yield from _wrapped("  ", text)
        for text in trouble.advice:
            yield from _wrapped("  do: ", text)
    yield ""
    yield from _wrapped("passed: ", "; ".join(holding))
    yield from command_lines(commands)


def _answer(troubles: Sequence[Trouble], commands: Sequence[Proposal]) -> Iterator[str]:
    fails = [one for one in troubles if one.severity is TroubleSeverity.FAILS]
    if fails:
        yield from _wrapped("cause: ", fails[0].title)
        yield from _wrapped("do: ", _advice(fails[0], commands))
    elif troubles:
        yield f"{SOUND}; {_risks(troubles)}"
    else:
        yield SOUND


def _advice(trouble: Trouble, commands: Sequence[Proposal]) -> str:
    solved = next((one.command for one in commands if one.gives), None)
    return trouble.advice[0] if trouble.advice else f"`{solved}`" if solved else "see below."


def _risks(troubles: Sequence[Trouble]) -> str:
    risks = sum(1 for one in troubles if one.severity is TroubleSeverity.RISK)
    notes = len(troubles) - risks
    told = [f"{risks} that may matter"] * bool(risks) + [f"{notes} notes"] * bool(notes)
    return f"{' and '.join(told)} below"


def _head(env: Environment) -> Iterator[str]:
    me = env.interpreter
    torch = f"torch {env.torch.facts.build}" if env.torch else "no torch"
    python = f"Python {me.full or me.python or 'unknown'}"
    yield f"{me.prefix}: {python}, {torch}, {len(env.distributions)} distributions{_HOW[env.how]}"
    if env.links:
        yield from _wrapped("links followed: ", "; ".join(_links(env)))
    if env.devices:
        names = ", ".join(
            f"{device.name} ({device.arch})" if device.arch else device.name for device in env.devices
        )
        yield f"for {names}" + (f", driver {env.driver}" if env.driver else "")
    elif env.device_fault:
        yield from _wrapped("not checked: ", f"GPU kernels and driver: {device_fault_text(env.device_fault)}")


def device_fault_text(fault: DeviceFault) -> str:
    """Why no device is known, as a clause."""
    unknown = fault.problem is InstalledDeviceProblem.UNKNOWN
    return f"unknown device `{fault.detail}`" if unknown else fault.detail


def _links(env: Environment) -> Iterator[str]:
    """What leads out of the environment, each kind once."""
    by_kind: dict[FollowedLinkKind, list[FollowedLink]] = {}
    for link in env.links:
        by_kind.setdefault(link.kind, []).append(link)
    for kind, links in by_kind.items():
        more = f" and {len(links) - 1} more" if len(links) > 1 else ""
        yield f"{_KINDS[kind]} `{links[0].path.name}` -> `{links[0].target}`{more}"


def _shortened(troubles: Sequence[Trouble]) -> Iterator[Trouble]:
    """Of many alike risks the first ones, and how many more."""
    seen: dict[tuple[TroubleKind, TroubleSeverity], int] = {}
    for trouble in troubles:
        key = (trouble.check, trouble.severity)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= _MANY or trouble.severity is TroubleSeverity.FAILS:
            yield trouble
    for (check, severity), count in seen.items():
        if count > _MANY and severity is not TroubleSeverity.FAILS:
            yield Trouble(
                check=check, severity=severity, title=f"{count - _MANY} more like the {_MANY} above"
            )


def environment_data(
    env: Environment, troubles: Sequence[Trouble], holding: Sequence[str], commands: Sequence[Proposal]
) -> dict[str, Any]:
    """The report for a program."""
    me = env.interpreter
    return {
        "python": str(me.path),
        "version": me.full or me.python,
        "prefix": str(me.prefix),
        "torch": str(env.torch.facts.build) if env.torch else None,
        "devices": [device.name for device in env.devices],
        "driver": env.driver,
        "not_checked": device_fault_text(env.device_fault) if env.device_fault else None,
        "how": env.how.value,
        "links": [
            {"kind": link.kind.value, "path": str(link.path), "target": str(link.target)}
            for link in env.links
        ],
        "distributions": [
            {"name": dist.name, "version": dist.version, "record": str(dist.site / dist.record)}
            for dist in env.distributions
        ],
        "troubles": [trouble_data(trouble) for trouble in troubles],
        "holds": list(holding),
        "commands": [command_data(command) for command in commands],
    }


def trouble_data(trouble: Trouble) -> dict[str, Any]:
    """A trouble for a program."""
    return {
        "check": trouble.check.value,
        "severity": trouble.severity.value,
        "title": trouble.title,
        "evidence": list(trouble.evidence),
        "advice": list(trouble.advice),
        "packages": list(trouble.packages),
        "source": list(trouble.source),
    }


def _wrapped(start: str, text: str) -> Iterator[str]:
    rest = " " * (len(start) - len(start.lstrip()) + 2)
    lines = wrap(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from lines or [start.rstrip()]
