"""Fixtures of what is read from indexes: a loopback web server, replicas of indexes, a copy of the facts."""

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
