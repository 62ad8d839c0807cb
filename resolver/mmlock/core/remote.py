"""A request as it is asked of a server: the same table of options, and what of it has a meaning elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import UsageError
from mmlock.core.requirements import Asked
from mmlock.core.solve_option import OptionKind, SolveOption
from mmlock.core.solve_options import OPTIONS

__all__ = ["api_name", "body_of", "remote_options"]

_LOCAL = frozenset({OptionKind.FILE, OptionKind.PROJECT, OptionKind.EXTENSION, OptionKind.PATH})
"""Kinds that name something on the disk of whoever asks."""
_NOT_ASKED = frozenset({"configs", "extras", "groups", "upgrade", "upgrade_packages", "dry_run", "offline"})


def remote_options() -> Iterator[SolveOption]:
    """The options that can be asked over HTTP."""
    return (o for o in OPTIONS if o.kind not in _LOCAL and o.id not in _NOT_ASKED)


def api_name(option: SolveOption) -> str:
    """What an option is called in a body: as in `mmlock.toml`, with underscores."""
    return (option.key or option.name).replace("-", "_")


def body_of(arguments: SolveArguments) -> dict[str, Any]:
    """The body that asks for a request: what a client sends. Raises UsageError for what stays local."""
    if arguments.project or arguments.extensions or arguments.verdicts or arguments.matrices:
        raise UsageError(
            "a server does not see your files",
            causes=["`--project`, `--extension`, `--verdicts` and `--matrices` name some"],
            hints=["solve here, without `--server`", "or name the requirements themselves"],
        )
    if hashed := [one.text for one in arguments.requirements if one.hashes]:
        raise UsageError(
            f"`{hashed[0]}` came with hashes, which a server does not compare",
            hints=["solve here, without `--server`"],
        )
    body: dict[str, Any] = {}
    for option in remote_options():
        if option.field is None or option.id in {"named_indexes", "index_packages"}:
            continue
        value: Any = arguments
        for part in option.field.split("."):
            value = getattr(value, part)
        if not value:
            continue
        if isinstance(value, tuple):
            value = [item.text if isinstance(item, Asked) else str(item) for item in value]
        body[api_name(option)] = value if isinstance(value, bool | list) else str(value)
    named = arguments.index.named
    if named:
        body["index"] = [f"{one.name}={one.url}" for one in named]
        body["index_package"] = [f"{one.name}={package}" for one in named for package in one.packages]
    if arguments.preferences:
        body["preferences"] = dict(arguments.preferences)
    return body
