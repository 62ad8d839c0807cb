"""What the formats of conda's tools share: platform names, YAML out and in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmlock.core.errors import UsageError
from mmlock.core.names import Platform

__all__ = ["SUBDIRS", "dump_yaml", "load_yaml", "subdir"]

SUBDIRS = {
    Platform.LINUX_X86_64: "linux-64",
    Platform.LINUX_AARCH64: "linux-aarch64",
    Platform.MACOS_ARM64: "osx-arm64",
    Platform.MACOS_X86_64: "osx-64",
    Platform.WINDOWS_X86_64: "win-64",
}
"""What conda calls a platform: a naming rule."""


def subdir(platform: Platform) -> str:
    """The name of a platform in channels."""
    return SUBDIRS[platform]


def dump_yaml(document: Mapping[str, Any]) -> str:
    """A document as block YAML, keys in the order given: the same document gives the same bytes."""
    import yaml

    class _Dumper(yaml.SafeDumper):
        """Never an alias, and lists not deeper than their key, as conda's own tools write them."""

        def ignore_aliases(self, data: Any) -> bool:
            del data
            return True

    return yaml.dump(
        dict(document),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=10_000,
    )


def load_yaml(text: str, file: str) -> Mapping[str, Any]:
    """The mapping that a YAML file holds. Raises UsageError."""
    from mmlock.files.strict_yaml import UnreadableYAMLError, yaml_mapping

    try:
        return yaml_mapping(text)
    except UnreadableYAMLError as error:
        raise UsageError(
            f"`{file}` cannot be read",
            causes=[str(error)],
            hints=["restore it, or run `mmlock solve` again"],
        ) from error
