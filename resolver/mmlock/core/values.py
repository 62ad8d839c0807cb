"""`dataclass` as the standard library has it, for values that are made of many classes.

The standard one compiles six methods when a class is defined, half a millisecond each time. A solve
loads some 150 classes and makes instances of a third, so that took more than all else it imports. Here
a frozen, slotted, keyword-only class shares its methods with all others, and its `__init__` is compiled
when it is first called. To a type checker, and in what it does, it is the standard dataclass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

_OWN = frozenset({"__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__"})
_VALUE = {"frozen": True, "slots": True, "kw_only": True}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Standard:
    """What the standard library notes down about such a class."""


def _dataclass(**options: bool) -> Callable[[type], type]:
    """The decorator: all other kinds of dataclass are left to the standard library."""

    def decorate(cls: type) -> type:
        inherits = any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:])
        if options != _VALUE or inherits or _OWN & vars(cls).keys():
            return dataclasses.dataclass(**options)(cls)
        return _value(cls)

    return decorate


def _value(cls: type) -> type:
    bare = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=True)
    made: Any = bare(cls)
    fields = dataclasses.fields(made)
    same = _values_of([f.name for f in fields if f.compare])
    hashed = _values_of([f.name for f in fields if (f.compare if f.hash is None else f.hash)])

    def init(self: Any, **values: Any) -> None:
        made.__init__ = _init(made, fields)
        made.__init__(self, **values)

    def equal(self: Any, other: object) -> bool:
        return same(self) == same(other) if other.__class__ is self.__class__ else NotImplemented

    made.__init__, made.__eq__, made.__hash__ = init, equal, lambda self: hash(hashed(self))
    made.__repr__, made.__setattr__, made.__delattr__ = _repr, _set, _delete
    made.__getstate__, made.__setstate__ = _state, _restore
    made.__dataclass_params__ = _Standard.__dataclass_params__  # type: ignore[attr-defined]
    return made  # type: ignore[no-any-return]


def _values_of(names: list[str]) -> Callable[[object], Any]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _init(cls: Any, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    """The `__init__` of a class: through the slots themselves, past what keeps the value frozen."""
    known: dict[str, Any] = {"_LATER": dataclasses.MISSING}
    words, lines = ["self", "*"], []
    for field in fields:
        name = field.name
        known[f"_set_{name}"] = getattr(cls, name).__set__
        taken = name
        if field.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = field.default
            words.append(f"{name}=_default_{name}" if field.init else "")
            taken = name if field.init else f"_default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = field.default_factory
            words.append(f"{name}=_LATER" if field.init else "")
            made = f"_make_{name}()"
            taken = f"{made} if {name} is _LATER else {name}" if field.init else made
        elif field.init:
            words.append(name)
        else:
            continue
        lines.append(f"  _set_{name}(self, {taken})")
    if hasattr(cls, "__post_init__"):
        lines.append("  self.__post_init__()")
    head = ", ".join(filter(None, words)) if len(words) > len("s*") else "self"
    exec(f"def __init__({head}):\n" + "\n".join(lines or ["  pass"]), known)  # noqa: S102
    made_init: Callable[..., None] = known["__init__"]
    made_init.__qualname__ = f"{cls.__qualname__}.__init__"
    made_init.__module__ = cls.__module__
    return made_init


def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _set(self: object, name: str, value: object) -> None:
    del self, value
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(self: object, name: str) -> None:
    del self
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass
