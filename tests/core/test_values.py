"""`mmlock.core.values.dataclass` is the standard dataclass in everything one can see."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from mmlock.core.values import dataclass


class _Body:
    """What both kinds are made of."""

    name: str
    count: int = 3
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    hidden: str = dataclasses.field(default="", repr=False, compare=False)
    length: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.name))


def _made(decorator: Any) -> Any:
    body = {key: value for key, value in vars(_Body).items() if key not in {"__dict__", "__weakref__"}}
    return decorator(frozen=True, slots=True, kw_only=True)(type("Row", (), body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A value that pickle finds."""

    left: int
    right: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """A value of one field."""

    only: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """A value without fields."""


KINDS = pytest.mark.parametrize("row", [_made(dataclass), _made(dataclasses.dataclass)], ids=["own", "std"])


@KINDS
def test_a_value_is_made_of_keywords_and_defaults(row: Any) -> None:
    made = row(name="abc", hidden="x")
    assert (made.name, made.count, made.tags, made.hidden, made.length) == ("abc", 3, {}, "x", 3)
    assert row(name="a").tags is not row(name="a").tags
    assert repr(made) == "Row(name='abc', count=3, tags={}, length=3)"


@KINDS
@pytest.mark.parametrize("wrong", [{}, {"name": "a", "other": 1}, {"name": "a", "length": 1}])
def test_what_does_not_fit_is_refused_by_name(row: Any, wrong: dict[str, Any]) -> None:
    for _ in range(2):  # the first call compiles
        with pytest.raises(TypeError, match=r"Row\.__init__\(\)"):
            row(**wrong)
    with pytest.raises(TypeError):
        row("abc")


@KINDS
def test_values_are_equal_by_what_is_compared(row: Any) -> None:
    assert row(name="a", hidden="x") == row(name="a")
    assert row(name="a") != row(name="b")
    assert row(name="a") != ("a", 3, {}, 1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(row(name="a"))


@KINDS
def test_a_value_cannot_be_changed(row: Any) -> None:
    made = row(name="abc")
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'name'"):
        made.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'name'"):
        del made.name
    assert not hasattr(made, "__dict__")


@KINDS
def test_the_tools_for_dataclasses_know_it(row: Any) -> None:
    made = row(name="abc")
    assert dataclasses.is_dataclass(row)
    assert [field.name for field in dataclasses.fields(row)] == ["name", "count", "tags", "hidden", "length"]
    assert dataclasses.replace(made, name="ab") == row(name="ab")
    assert dataclasses.asdict(made)["count"] == 3
    assert row.__dataclass_params__.frozen
    assert row.__match_args__ == ()


def test_copies_are_equal_and_frozen() -> None:
    made = Plain(left=1, right=("a",))
    for other in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):  # noqa: S301
        assert (other, hash(other)) == (made, hash(made))
        with pytest.raises(dataclasses.FrozenInstanceError):
            other.left = 2


def test_documents_are_decoded_into_it() -> None:
    data = b'{"left":1,"right":["a"]}'
    assert msgspec.json.decode(data, type=Plain) == Plain(left=1, right=("a",))
    assert msgspec.json.encode(Plain(left=1, right=("a",))) == data
    with pytest.raises(msgspec.ValidationError, match="left"):
        msgspec.json.decode(b"{}", type=Plain)


def test_few_fields_are_no_special_case() -> None:
    assert (One(only=1), hash(One(only=1))) == (One(only=1), hash(One(only=1)))
    assert One(only=1) != One(only=2)
    assert (repr(Nothing()), Nothing()) == ("Nothing()", Nothing())
    assert hash(Nothing()) == hash(Nothing())
    assert Nothing() != One(only=1)


def test_other_kinds_are_the_standard_ones() -> None:
    @dataclass(slots=True)
    class Open:
        count: int = 1

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Written(One):
        more: int = 2

        def __repr__(self) -> str:
            return "written"

    made = Open(2)
    made.count = 3
    assert made == Open(3)
    assert (repr(Written(only=1)), Written(only=1)) == ("written", Written(only=1, more=2))
