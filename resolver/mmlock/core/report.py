"""What a use case gives back to whoever shows it."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Report(Protocol):
    """An answer in two forms: lines for a person, plain values for a program."""

    @property
    def text(self) -> str: ...

    @property
    def data(self) -> object:
        """Only dicts with text keys, lists, tuples, text, numbers, booleans and None."""
        ...


class Page(Struct, frozen=True, kw_only=True):
    """The simplest report: both forms, ready made."""

    text: str
    data: object
