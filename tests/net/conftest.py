"""Fixtures of these tests: a loopback web server and the client that asks it."""

from __future__ import annotations

from loopback_web import (
    client,
    matrices,
    refreshed,
    replica,
    reply,
    slept,
    snapshot,
    web,
    whole_replica,
)

__all__ = [
    "client",
    "matrices",
    "refreshed",
    "replica",
    "reply",
    "slept",
    "snapshot",
    "web",
    "whole_replica",
]
