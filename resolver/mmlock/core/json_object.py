"""JSON from outside, read so that one kind of error covers all that can be wrong with it."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["json_object"]


def json_object(data: bytes | str) -> dict[str, Any]:
    """The object that a JSON text holds.

    Raises ValueError for what is no JSON or no object, is nested too deep, or holds an integer
    of thousands of digits.
    """
    try:
        document = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - one kind of error for whoever reads it
    return document
