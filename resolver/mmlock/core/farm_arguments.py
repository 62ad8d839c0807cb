"""What a user can ask of `mmlock sweep` and `mmlock farm`."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

__all__ = ["SWEEP_FILE", "SweepArguments", "SweepDiffArguments"]

SWEEP_FILE = "sweep.toml"


class SweepArguments(Struct, frozen=True, kw_only=True):
    """One sweep. What is given here replaces the axis of the file."""

    file: Path | None = None
    """None: `sweep.toml` where there is one, else all that the facts know."""
    gpus: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    torches: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    out: Path | None = None
    """The folder that the files are written into; None: nothing is written."""
    jobs: int | None = None
    """Processes; None: as many as there are processors."""
    fresh: bool = False
    """Ask again what an earlier sweep has kept."""
    matrices: Path | None = None


class SweepDiffArguments(Struct, frozen=True, kw_only=True):
    """Two sweeps: `sweep.json` files, or the folders that hold them."""

    old: Path
    new: Path
