"""The package index and the web server of these tests."""

from __future__ import annotations

from loopback_web import web
from package_index import index, uv_cache

__all__ = ["index", "uv_cache", "web"]
