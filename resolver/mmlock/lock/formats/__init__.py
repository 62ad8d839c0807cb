"""One file per lock format, and the table that lists them. A new format is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from mmlock.lock.formats import (
    build_toml,
    conda_explicit,
    conda_lock_yml,
    environment_yml,
    pixi_lock,
    pixi_toml,
    pylock,
    requirements,
    why_md,
)
from mmlock.lock.model import LockedEnv

__all__ = ["FORMATS", "Format"]


class Format(Struct, frozen=True, kw_only=True):
    """A file of the lock folder."""

    name: str
    """What `--lock-format` calls it."""
    file: str
    render: Callable[[LockedEnv], str | None]
    """None: this environment needs no such file."""
    mark: str
    """Text near the start of every file of this kind that mmlock wrote; anything else is not ours."""
    optional: bool = True
    """Whether a person may ask for a lock without it."""


FORMATS: dict[str, Format] = {
    item.name: item
    for item in (
        Format(name="pylock", file=pylock.NAME, render=pylock.render, mark=pylock.MARK),
        Format(
            name="requirements", file=requirements.NAME, render=requirements.render, mark=requirements.MARK
        ),
        Format(
            name="build",
            file=build_toml.NAME,
            render=build_toml.render,
            mark=f'schema = "{build_toml.SCHEMA}"',
            optional=False,
        ),
        # What mmlock reads of a conda lock, so that nobody can leave it out; a pip lock has none of these.
        Format(
            name="pixi", file=pixi_lock.NAME, render=pixi_lock.render, mark=pixi_lock.MARK, optional=False
        ),
        *(
            Format(name=name, file=module.NAME, render=module.render, mark=module.MARK)
            for name, module in (
                ("conda-lock", conda_lock_yml),
                ("environment", environment_yml),
                ("explicit", conda_explicit),
                ("pixi-workspace", pixi_toml),
            )
        ),
        Format(name="why", file=why_md.NAME, render=why_md.render, mark=why_md.MARK, optional=False),
    )
}
