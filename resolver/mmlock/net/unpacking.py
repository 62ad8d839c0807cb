"""The body of an answer, unpacked piece by piece: what a few bytes become is never in memory at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

__all__ = ["ENCODINGS", "BombError", "pieces"]

ENCODINGS = "gzip"
"""What to ask for: the one compression that is unpacked here."""

_PIECE = 1 << 20
_EITHER_HEADER = 32 + zlib.MAX_WBITS
_FREE = 4 << 20
"""Bytes that may come out whatever went in: small answers pack well."""
_MOST_RATIO = 200
"""Times the size of what came in: the most regular lists of file names come to 150, gzip to 1,030."""
_UNASKED = frozenset({"br", "zstd", "deflate", "compress", "x-compress"})


class BombError(Exception):
    """A body that becomes far more bytes than any page does."""


def pieces(response: httpx.Response) -> Iterator[bytes]:
    """Pieces of at most a megabyte, as long as the server sends gzip or nothing packed.

    Raises httpx.HTTPError, or BombError.
    """
    import httpx

    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in _UNASKED:
        raise httpx.DecodingError(f"it is packed with `{encoding}`, which was not asked for")
    if encoding in {"gzip", "x-gzip"}:
        yield from _unpacked(response)
    else:
        for raw in response.iter_raw():
            yield from (raw[at : at + _PIECE] for at in range(0, len(raw), _PIECE))


def _unpacked(response: httpx.Response) -> Iterator[bytes]:
    import httpx

    engine, came, given = zlib.decompressobj(_EITHER_HEADER), 0, 0
    try:
        for packed in response.iter_raw():
            came += len(packed)
            rest = packed
            while rest:
                piece = engine.decompress(rest, _PIECE)
                given += len(piece)
                if given > max(_FREE, _MOST_RATIO * came):
                    raise BombError(f"{came} bytes of gzip become more than {given}")
                yield piece
                rest = engine.unconsumed_tail
    except zlib.error as error:
        raise httpx.DecodingError(f"it is not the gzip it is said to be: {error}") from error
    if came and not engine.eof:
        raise httpx.DecodingError("its gzip breaks off in the middle")
