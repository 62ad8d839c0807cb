"""A package index on the loopback interface."""

from __future__ import annotations

from package_index import ask, cache, closer, environ, index, torch, uv_cache

__all__ = ["ask", "cache", "closer", "environ", "index", "torch", "uv_cache"]
