"""The package index of these tests."""

from __future__ import annotations

from package_index import index, uv_cache

__all__ = ["index", "uv_cache"]
