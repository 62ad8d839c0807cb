"""The tables of Python names beside the facts: read on demand, kept."""

from __future__ import annotations

from collections.abc import Mapping

from mmlock.core.names import PackageName, normalize
from mmlock.facts.matrix.fact_files import FactFiles
from mmlock.names.table import ARCHIVES, NAMES, TableKind, table_path
from mmlock.names.tables import GivenTable, NeededTable

__all__ = ["NameTables"]


class NameTables(FactFiles):
    """Which names releases give, and which they need of others."""

    __slots__ = ()

    def names_given(self, package: str) -> GivenTable | None:
        """The public names that releases of a package give; None where they are not recorded."""
        key = f"given {package}"
        if key not in self._values:
            text = self._names(TableKind.GIVEN, normalize(package))
            self._values[key] = None if text is None else GivenTable.of(text, normalize(package))
        given: GivenTable | None = self._values[key]
        return given

    def names_needed(self, package: str) -> NeededTable | None:
        """The names that releases of a package need of others; None where they are not recorded."""
        key = f"needed {package}"
        if key not in self._values:
            text = self._names(TableKind.NEEDED, normalize(package))
            self._values[key] = None if text is None else NeededTable.of(text, normalize(package))
        needed: NeededTable | None = self._values[key]
        return needed

    def _names(self, kind: TableKind, package: PackageName) -> str | None:
        path = table_path(kind, package)
        return self._read(path).decode("utf-8", "replace") if (self.root / path).is_file() else None

    def sources(self, section: str, package: str | None = None) -> Mapping[str, str]:
        """As for every file; those of recorded names are in the head of their table."""
        if section != NAMES:
            return super().sources(section, package)
        table = self.names_needed(package or "")
        return {ARCHIVES: f"`{package}`: {table.text.head.source}"} if table else {}
