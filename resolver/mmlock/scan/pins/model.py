"""A version that someone wrote down, where, and how binding that is."""

from __future__ import annotations

import re

from msgspec import Struct

from mmlock.core.names import PackageName, StrEnum
from mmlock.scan.model import SourceLine
from mmlock.scan.pins.repositories import is_repository

__all__ = ["Binding", "PinKind", "ProjectPin"]


class PinKind(StrEnum):
    """In what kind of file it is."""

    REQUIREMENTS = "requirements file"
    PYPROJECT = "pyproject.toml"
    SETUP = "setup.py"
    SETUP_CFG = "setup.cfg"
    CONDA = "conda environment"
    PIPFILE = "Pipfile"
    LOCK = "lock file"
    DOCKERFILE = "Dockerfile"
    SCRIPT = "shell script"
    DOCUMENT = "document"
    NOTEBOOK = "notebook"


class Binding(StrEnum):
    """How binding it is for a solve."""

    DECLARED = "declared"  # what the project itself says it needs
    OPTIONAL = "optional"  # for extras, tests, documentation, or in a file that nothing names
    LOCKED = "locked"  # what some other tool resolved
    COMMAND = "command"  # a script or an image recipe installs it
    ADVICE = "advice"  # a text or a notebook tells a person to install it


_BUILD = re.compile(r"[\w.-]+=[\w.!+]+=\w+")


class ProjectPin(Struct, frozen=True, kw_only=True):
    """One requirement at one place."""

    name: PackageName
    """A distribution, or `python`, `cuda`."""
    specifier: str
    """PEP 440; empty: any version."""
    text: str
    """As written."""
    place: SourceLine
    kind: PinKind
    binding: Binding
    marker: str | None = None
    constraint: bool = False
    """Whether it only bounds the package where something else brings it."""
    checkout: bool = False
    """Whether `name` is that of a repository of which a release is checked out."""

    @property
    def repository(self) -> bool:
        """Whether it is on a repository and not on a release."""
        return is_repository(self.text)

    @property
    def exported(self) -> bool:
        """Whether conda resolved it on one machine, down to the build: `pillow=9.2.0=py39h595c93f_3`."""
        return self.kind is PinKind.CONDA and self.constraint and _BUILD.fullmatch(self.text) is not None
