"""The body of an answer, unpacked piece by piece: what a few bytes become never stands in memory at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

__all__ = ["ENCODINGS", "pieces"]

ENCODINGS = "gzip"
"""What is asked for: the one compression that is unpacked here."""

_PIECE = 1 << 20
_EITHER_HEADER = 32 + zlib.MAX_WBITS


def pieces(response: httpx.Response) -> Iterator[bytes]:
    """Pieces of at most a megabyte, as long as the server sends gzip or nothing packed.

    Raises httpx.HTTPError.
    """
    import httpx

    if response.headers.get("content-encoding", "").strip().lower() not in {"gzip", "x-gzip"}:
        yield from response.iter_bytes(_PIECE)
        return
    engine, came = zlib.decompressobj(_EITHER_HEADER), False
    try:
        for packed in response.iter_raw():
            came = came or bool(packed)
            rest = packed
            while rest:
                yield engine.decompress(rest, _PIECE)
                rest = engine.unconsumed_tail
    except zlib.error as error:
        raise httpx.DecodingError(f"it is not the gzip it is said to be: {error}") from error
    if came and not engine.eof:
        raise httpx.DecodingError("its gzip breaks off in the middle")
