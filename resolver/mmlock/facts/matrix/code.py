"""The shape of facts that are read from source code: the ops of mmcv, and what frameworks reach of them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from mmlock.core.names import Confidence, OpNeeds


class Op(Struct, frozen=True, kw_only=True):
    """A name that `mmcv.ops` or one of its modules provides. File `openmmlab/ops.json`, key `name`."""

    name: str
    module: str
    """The module of `mmcv.ops` it is in: `nms`, `roi_align`."""
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
    """Config keys below which frameworks look it up by its own name (`roi_layer`); `*`: any."""
    until: str | None = None
    """Last release that has it; None: the newest does."""
    earlier: Mapping[str, OpNeeds] = field(default_factory=dict)
    """Sampled releases in which it needed something else."""
    note: str | None = None


class Reach(Struct, frozen=True, kw_only=True):
    """Which ops a release of a framework reaches. Files `openmmlab/reach/PACKAGE.json`, key `version`."""

    version: str
    module: str
    """Its import name."""
    entries: Mapping[str, str]
    """Module -> file and line of an import of `mmcv.ops` that always runs when the module is imported.

    What is in a listed package is not listed again; a module that is absent imports none.
    """
    mmengine: bool
    """Whether it imports mmengine: the era of mmcv 2."""
    named: Mapping[str, tuple[str, ...]]
    """A class or function, by its name or the one it is registered under -> the ops it reaches."""
    ops: tuple[str, ...]
    """All ops it reaches anywhere."""
    source: tuple[str, ...]
    confidence: Confidence
