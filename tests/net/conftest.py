"""Fixtures of these tests: a loopback web server and the client that asks it."""

from __future__ import annotations

from loopback_web import client, reply, slept, web

__all__ = ["client", "reply", "slept", "web"]
