"""The shape of facts that are read from source code: the ops of mmcv, and what frameworks reach of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmlock.core.names import Confidence, OpNeeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """A name that `mmcv.ops` or one of its modules provides. File `openmmlab/ops.json`, key `name`."""

    name: str
    module: str
    """The module of `mmcv.ops` it stands in: `nms`, `roi_align`."""
    exported: bool
    """Whether `from mmcv.ops import NAME` finds it; else only its module has it."""
    needs: OpNeeds
    """In the newest sampled release that has it."""
    since: str
    source: tuple[str, ...]
    confidence: Confidence
    symbols: tuple[str, ...] = ()
    """What it calls in `mmcv._ext`."""
    registry: tuple[str, ...] = ()
    """Names it is registered under (`DCNv2`), as configs write them in `type`."""
    under: tuple[str, ...] = ()
    """Config keys below which frameworks look it up by its own name (`roi_layer`, `nms`)."""
    until: str | None = None
    """Last release that has it; None: the newest does."""
    earlier: Mapping[str, OpNeeds] = field(default_factory=dict)
    """Sampled releases in which it needed something else."""
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Which ops a release of a framework reaches. Files `openmmlab/reach/PACKAGE.json`, key `version`."""

    version: str
    module: str
    """Its import name."""
    entries: Mapping[str, str]
    """Entry module -> file and line of the first import of `mmcv.ops` that always runs when it is imported.

    An entry module that imports none of them is not listed."""
    guarded: bool
    """Whether every import of `mmcv.ops` in it survives an ImportError."""
    named: Mapping[str, tuple[str, ...]]
    """Name of a registered class or function -> the ops it reaches."""
    modules: Mapping[str, tuple[str, ...]]
    """Module -> the ops reached by what it defines, where a project imports from it directly."""
    ops: tuple[str, ...]
    """All ops it reaches anywhere."""
    source: tuple[str, ...]
    confidence: Confidence
