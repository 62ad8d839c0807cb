"""Canonical JSON files of the matrix, as `mmlock.facts.matrix.store` makes them."""

from __future__ import annotations

from mmlock.facts.matrix.store import decode, encode, read, replace, row_text

__all__ = ["decode", "encode", "read", "replace", "row_text"]
