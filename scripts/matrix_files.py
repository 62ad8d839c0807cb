"""Canonical JSON files of the matrix, as `mmlock.matrix.store` makes them."""

from __future__ import annotations

from mmlock.matrix.store import decode, encode, read, replace, row_text

__all__ = ["decode", "encode", "read", "replace", "row_text"]
