"""Versions of an existing lock: what it costs to leave them."""

from __future__ import annotations

from functools import partial

from mmlock.core.names import PackageName
from mmlock.core.versions import is_version, version
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.rows import Option, TorchBuildChoice

__all__ = ["add_preferences"]

_PYTHON = PackageName("python")


def add_preferences(builder: GraphBuilder) -> None:
    """Every option that is another version than the lock has pays for that.

    A slot that may be left empty pays nothing for it: what nobody needs any more goes. A version that is not
    among the options is forgotten, as is one that cannot be read.
    """
    for name, text in builder.request.preferences:
        slot = _slot_of(builder, name)
        if slot is None:
            continue
        kept = builder.kinds(slot, f"kept:{name}:{text}", partial(_is_kept, name, text))
        if kept:
            for index in builder.slots[slot]:
                if index not in kept and builder.options[index].version is not None:
                    builder.kept[index] = 1


def _slot_of(builder: GraphBuilder, name: PackageName) -> str | None:
    """The slot that a package of the lock fills here."""
    if name == _PYTHON:
        return str(name)
    return next(
        (
            slot
            for slot, indices in builder.slots.items()
            if any(builder.options[index].package == name for index in indices)
        ),
        None,
    )


def _is_kept(name: PackageName, text: str, option: Option) -> bool:
    """Whether an option is what the lock has; of torch with its variant, where the lock names one."""
    if option.version is None or name not in {option.package, option.slot}:
        return False
    if not is_version(text):
        return False
    wanted, own = version(text), version(option.version)
    if isinstance(option.choice, TorchBuildChoice) and wanted.local is not None:
        return own.public == wanted.public and option.choice.build.variant == wanted.local
    return own.public == wanted.public
