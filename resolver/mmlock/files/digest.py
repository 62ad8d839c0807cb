"""The sha256 of a file, read in blocks: wheels have gigabytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mmlock.core.names import Sha256

__all__ = ["sha256_of"]

_BLOCK = 1 << 20


def sha256_of(path: Path) -> Sha256:
    """The hash of a file's bytes. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return Sha256(digest.hexdigest())
