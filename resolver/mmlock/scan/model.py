"""What a scan finds, as values."""

from __future__ import annotations

from msgspec import Struct

from mmlock.names.model import RunCondition

__all__ = ["Called", "Import", "ModuleFacts", "RunCondition", "SourceLine", "Typed", "Used"]


class SourceLine(Struct, frozen=True, kw_only=True, order=True):
    """A line of a file of the project."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Import(Struct, frozen=True, kw_only=True):
    """One name that an import statement binds."""

    module: str
    """Absolute, or with leading dots as written."""
    name: str | None
    """What is taken from the module; None: the module itself; `*`: everything."""
    bound: str
    """The name it has in the file; `mmcv` for `import mmcv.ops`; empty for a star."""
    line: int
    when: RunCondition
    owner: str
    """The top-level class or function it is in; empty: none."""


class Used(Struct, frozen=True, kw_only=True):
    """A name or an attribute chain that is read: `ops.nms`."""

    chain: str
    line: int
    owner: str


class Typed(Struct, frozen=True, kw_only=True):
    """A `type` of a config dict."""

    text: str
    """`DCNv2`, or the chain of names of a lazy config."""
    literal: bool
    """Whether it is a string; else `text` is a chain of names."""
    under: str
    """The key the dict is at: `roi_layer`, `nms`; empty: none."""
    line: int
    owner: str


class Called(Struct, frozen=True, kw_only=True):
    """A call of a function that makes or loads compiled code: `load_ext`, `cpp_extension.load`."""

    function: str
    """The chain of names it is called by."""
    texts: tuple[str, ...]
    """Every string among its arguments."""
    line: int
    owner: str


class ModuleFacts(Struct, frozen=True, kw_only=True):
    """What one Python file says, by its syntax alone."""

    imports: tuple[Import, ...] = ()
    used: tuple[Used, ...] = ()
    typed: tuple[Typed, ...] = ()
    called: tuple[Called, ...] = ()
    defined: tuple[tuple[str, int], ...] = ()
    """Top-level classes and functions with their lines."""
    registered: tuple[tuple[str, str], ...] = ()
    """Name in a registry -> top-level class or function."""
    bases: tuple[tuple[str, int], ...] = ()
    """The paths in `_base_`, with their lines."""
    script: bool = False
    """Whether it has a `__main__` part."""
