"""Reads YAML of strangers: what a small file can make large, or slow, is no YAML of any tool we read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["UnreadableYAMLError", "yaml_mapping"]

_LONGEST_NUMBER = 100
"""Characters. YAML 1.1 has numbers of base 60 (`1:59:59`); each place takes longer than the one before."""
_NUMBER = re.compile(r"[-+0-9a-fA-FxXoObBeE_.:]+")


class UnreadableYAMLError(Exception):
    """A text that is no YAML mapping, or none that a tool writes; the text says why, on one line."""


def yaml_mapping(text: str) -> Mapping[str, Any]:
    """The mapping that a YAML document is. Raises UnreadableYAMLError."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(text, loader):
            if isinstance(event, yaml.AliasEvent):  # it can make a small file a large one
                raise UnreadableYAMLError("it has YAML aliases")
            if (
                isinstance(event, yaml.ScalarEvent)
                and len(event.value) > _LONGEST_NUMBER
                and _NUMBER.fullmatch(event.value)
            ):
                raise UnreadableYAMLError(f"it has a number of {len(event.value)} characters")
        document = yaml.load(text, loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        raise UnreadableYAMLError(f"it is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise UnreadableYAMLError("it is no YAML mapping")
    return document
