"""The Python names of one release: those that are recorded, else read from its archive."""

from __future__ import annotations

from mmlock.core.artifact import Artifact
from mmlock.core.errors import EnvironmentFault, NoAnswer, UsageError
from mmlock.core.names import PackageName, normalize
from mmlock.core.progress import Progress, silent
from mmlock.facts.locate import PYPI
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.refresh.names import NamePlan, ReadNames, choose_file, read_names
from mmlock.names.needed import Needed
from mmlock.names.tables import GivenTable, given_text
from mmlock.net.fetching import Fetcher
from mmlock.net.lookup import LookupFault, LookupKind, find_files

__all__ = ["ReleaseNames", "parse_release"]

_NO_DIGEST = "0" * 64


class ReleaseNames:
    """Looks names up for one run, and reads each archive once."""

    def __init__(self, matrix: Matrix, client: Fetcher, progress: Progress = silent) -> None:
        self.matrix = matrix
        self.client = client
        self.progress = progress
        self._read: dict[tuple[PackageName, str], ReadNames] = {}

    def given(self, package: PackageName, release: str) -> GivenTable:
        """What a release gives, in a table that has it. Raises NoAnswer or EnvironmentFault."""
        known = self.matrix.names_given(package)
        if known is not None and known.text.spans.bit(release):
            return known
        read = self._archive(package, release)
        return GivenTable.of(
            given_text(package, "its archive", {release: _NO_DIGEST}, [(release, read.given)]), package
        )

    def needed(self, package: PackageName, release: str) -> tuple[Needed, ...]:
        """What a release needs of others. Raises NoAnswer or EnvironmentFault."""
        known = self.matrix.names_needed(package)
        if known is not None and known.text.spans.bit(release):
            return tuple(known.needs(release))
        return tuple(self._archive(package, release).needed)

    def _archive(self, package: PackageName, release: str) -> ReadNames:
        key = package, release
        if key not in self._read:
            plan = NamePlan(package=package, modules=self._modules(package))
            file = choose_file(self._files(package, release))
            if file is None:
                raise NoAnswer(f"`{package}=={release}` has no file whose names can be read")
            self.progress(f"reading the names of {file.name}")
            read = read_names(self.client, plan, file)
            if isinstance(read, str):
                raise EnvironmentFault(f"the names of `{package}=={release}` cannot be read", causes=[read])
            self._read[key] = read
        return self._read[key]

    def _modules(self, package: PackageName) -> tuple[str, ...]:
        found = [row.module for row in self.matrix.modules if package in row.packages]
        found += [m for row in self.matrix.name_sources if row.package == package for m in row.modules]
        return tuple(dict.fromkeys(found)) or (package.replace("-", "_"),)

    def _files(self, package: PackageName, release: str) -> tuple[Artifact, ...]:
        found = find_files(self.client, PYPI, package, release)
        if not isinstance(found, LookupFault):
            return found
        if found.kind is LookupKind.NOT_FOUND:
            raise NoAnswer(found.text)
        raise EnvironmentFault(f"`{package}=={release}` cannot be looked up", causes=[found.text])


def parse_release(text: str, option: str) -> tuple[PackageName, str]:
    """`mmdet==3.3.0` as a package and a version. Raises UsageError."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        asked = Requirement(text)
        pins = [clause.version for clause in asked.specifier if clause.operator in {"==", "==="}]
    except InvalidRequirement:
        asked, pins = None, []
    if asked is None or len(pins) != 1 or "*" in pins[0]:
        raise UsageError(
            f"{option}: `{text}` is no package with an exact version", hints=["write `mmdet==3.3.0`"]
        )
    return normalize(asked.name), pins[0]
