"""What one Python file says of names, as values."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from mmlock.core.names import StrEnum

__all__ = ["ModuleNames", "NameUse", "OpenReason", "RunCondition", "later"]


class RunCondition(StrEnum):
    """Under which condition a statement runs when its module is imported."""

    ALWAYS = "always"
    IF = "if"  # under a condition that is not evaluated here
    GUARDED = "guarded"  # in a `try` that survives an ImportError, or in the branch after one
    CALLED = "called"  # in a function
    TYPING = "typing"  # under TYPE_CHECKING: never


_ORDER = {condition: place for place, condition in enumerate(RunCondition)}


def later(outer: RunCondition, inner: RunCondition) -> RunCondition:
    """What two conditions, one inside the other, come to: the weaker promise to run."""
    return max(outer, inner, key=_ORDER.__getitem__)


class OpenReason(StrEnum):
    """Why a module may have names that its text does not show."""

    UNREAD = "unread"  # no Python that can be parsed
    COMPILED = "compiled"  # an extension module
    GETATTR = "getattr"  # a module's own __getattr__
    NAMESPACE = "namespace"  # globals(), vars(), locals() or exec at its top level
    REPLACED = "replaced"  # it puts something into sys.modules, or sets attributes there
    STAR = "star"  # everything of a module that is not here, or is open itself
    OUTSIDE = "outside"  # another module sets attributes whose names are not written down
    FOLDER = "folder"  # a folder without __init__.py: other distributions may add to it


class NameUse(Struct, frozen=True, kw_only=True):
    """A name that a module takes of another one."""

    module: str
    """Absolute."""
    name: str
    """Empty: the module itself."""
    line: int
    when: RunCondition


class ModuleNames(Struct, frozen=True, kw_only=True):
    """What one module gives and takes, by its syntax alone."""

    given: frozenset[str] = frozenset()
    """Names that some way through its top level binds."""
    exported: tuple[str, ...] | None = None
    """`__all__`, where it is written down whole."""
    listed: frozenset[str] = frozenset()
    """What is written down of an `__all__` that is put together when the module runs."""
    stars: tuple[str, ...] = ()
    """Modules of which it takes everything."""
    open: OpenReason | None = None
    denied: frozenset[str] = frozenset()
    """Names for which its `__getattr__` raises AttributeError."""
    outside: Mapping[str, frozenset[str]] = {}
    """Other modules -> attributes that it sets there; `*` for names that are not written down."""
    uses: tuple[NameUse, ...] = ()
