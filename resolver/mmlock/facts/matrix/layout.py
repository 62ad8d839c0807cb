"""Which file of `matrices/` holds what: the one table that loader, lint and importer share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct

from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.matrix import model
from mmlock.facts.matrix.advisories import Advisory

__all__ = ["SECTIONS", "Section", "key_text", "section_of", "sort_key"]


class Section(Struct, frozen=True, kw_only=True):
    """A kind of matrix file: where it is, what its rows are and what identifies one."""

    name: str
    """Also the `schema` every such file must state."""
    path: str
    """Relative to the matrix folder; `*` stands for a package name."""
    row: type
    key: tuple[str, ...]
    """Fields that identify a row; rows are sorted by them, versions in PEP 440 order."""
    per_package: bool = False

    @property
    def curated(self) -> bool:
        """Whether people write it: TOML with comments, so that its bytes have no canonical form."""
        return self.path.endswith(".toml")

    def path_for(self, package: str | None = None) -> str:
        """The relative path of this section's file, for one package where there are many."""
        return self.path.replace("*", package or "")


SECTIONS: dict[str, Section] = {
    section.name: section
    for section in (
        Section(name="gpus", path="gpus.json", row=model.Gpu, key=("name",)),
        Section(name="capabilities", path="capabilities.json", row=model.Capability, key=("sm",)),
        Section(name="toolkits", path="toolkits.json", row=model.Toolkit, key=("cuda",)),
        Section(
            name="torch-builds",
            path="torch/builds.json",
            row=model.TorchBuild,
            key=("torch", "variant", "platform"),
        ),
        Section(
            name="cpp-extension", path="torch/cpp_extension.json", row=model.CppExtension, key=("torch",)
        ),
        Section(
            name="binaries",
            path="binaries/*.json",
            row=model.Binary,
            key=("package", "version", "cuda", "torch", "cxx11_abi"),
            per_package=True,
        ),
        Section(
            name="openmmlab-index",
            path="openmmlab/index.json",
            row=model.IndexRow,
            key=("directory", "package", "platform", "versions"),
        ),
        Section(
            name="releases",
            path="openmmlab/releases/*.json",
            row=model.Release,
            key=("version",),
            per_package=True,
        ),
        Section(name="ops", path="openmmlab/ops.json", row=model.Op, key=("name",)),
        Section(
            name="reach",
            path="openmmlab/reach/*.json",
            row=model.Reach,
            key=("version",),
            per_package=True,
        ),
        # OpenMMLab's index has one name in many directories, so that a name alone tells no file.
        Section(name="files", path="files/*.json", row=model.File, key=("name", "url"), per_package=True),
        Section(
            name="requires",
            path="requires/*.json",
            row=model.Requires,
            key=("version", "platform", "variant"),
            per_package=True,
        ),
        Section(
            name="providers",
            path="providers/*.json",
            row=model.ProvidedWheel,
            key=("provider", "version", "torch", "variant", "platform"),
            per_package=True,
        ),
        Section(
            name="conda",
            path="conda/*.json",
            row=model.CondaRecord,
            key=("name", "version", "build", "channel"),
            per_package=True,
        ),
        Section(
            name="advisories",
            path="advisories/*.json",
            row=Advisory,
            key=("id",),
            per_package=True,
        ),
        Section(
            name="packages", path="packages/*.toml", row=model.Package, key=("module",), per_package=True
        ),
        Section(name="verdicts", path="verdicts.json", row=model.Validation, key=("lock",)),
        Section(name="accelerators", path="curated/accelerators.toml", row=model.Accelerator, key=("name",)),
        Section(name="toolchains", path="curated/toolchains.toml", row=model.Toolchain, key=("name",)),
        Section(name="breaks", path="curated/breaks.toml", row=model.Breakage, key=("id",)),
        Section(name="recipes", path="curated/recipes.toml", row=model.Recipe, key=("id",)),
        Section(name="symptoms", path="curated/symptoms.toml", row=model.Symptom, key=("id",)),
        Section(name="phrases", path="curated/phrases.toml", row=model.Phrase, key=("language", "said")),
        Section(
            name="compiled-modules",
            path="curated/compiled_modules.toml",
            row=model.CompiledModule,
            key=("module",),
        ),
        Section(name="stacks", path="curated/stacks.toml", row=model.Stack, key=("name",)),
        Section(name="provider-names", path="curated/providers.toml", row=model.Provider, key=("name",)),
        Section(name="modules", path="curated/modules.toml", row=model.Module, key=("module",)),
        Section(name="submodules", path="curated/submodules.toml", row=model.Submodule, key=("name",)),
        Section(name="mmcv-eras", path="curated/mmcv_eras.toml", row=model.MmcvEra, key=("package",)),
        Section(name="boards", path="curated/boards.toml", row=model.Board, key=("name",)),
        Section(name="cudnn", path="curated/cudnn.toml", row=model.Cudnn, key=("id",)),
        Section(name="tegra-reports", path="curated/tegra.toml", row=model.TegraReport, key=("id",)),
        Section(name="conda-torch", path="curated/conda_torch.toml", row=model.CondaTorch, key=("id",)),
        Section(name="conda-names", path="curated/conda_names.toml", row=model.CondaName, key=("pypi",)),
        Section(name="namesakes", path="curated/namesakes.toml", row=model.Namesake, key=("name",)),
        Section(name="repositories", path="curated/repositories.toml", row=model.Repository, key=("name",)),
        Section(name="name-rules", path="curated/device_names.toml", row=model.NameRule, key=("id",)),
        Section(
            name="name-sources", path="curated/name_sources.toml", row=model.NameSource, key=("package",)
        ),
        Section(name="defaults", path="curated/defaults.toml", row=model.Default, key=("name",)),
    )
}

_VERSIONED = frozenset({"version", "torch", "cuda"})
"""Key fields that hold versions: 2.10 sorts after 2.9."""


def section_of(path: PurePosixPath) -> tuple[Section, str | None] | None:
    """The section a relative path belongs to, and its package; None for a stranger."""
    for section in SECTIONS.values():
        if section.per_package:
            pattern = PurePosixPath(section.path)
            if path.parent == pattern.parent and path.suffix == pattern.suffix:
                return section, path.stem
        elif str(path) == section.path:
            return section, None
    return None


def _part(field: str, value: Any) -> tuple[Any, ...]:
    """One sortable key part: nothing first, then versions, then plain text."""
    if value is None:
        return (0,)
    if field in _VERSIONED:
        try:
            return (1, version(str(value)), str(value))
        except InvalidVersion:
            return (2, str(value))
    return (2, str(value))


def sort_key(section: Section, row: Any) -> tuple[tuple[Any, ...], ...]:
    """What rows of a section are sorted by."""
    return tuple(_part(name, getattr(row, name)) for name in section.key)


def key_text(fields: Sequence[str], row: Any) -> str:
    """The key of a row for people: of a decoded row or of the raw table of a broken one."""
    parts = (row.get(name) if isinstance(row, dict) else getattr(row, name, None) for name in fields)
    return " ".join(text for part in parts if part is not None and (text := _short(part)))


def _short(value: Any) -> str:
    """A key part in a few letters: `1.0.0..1.3.16` for a list, `cu118/torch2.1.0` for the URL of a file."""
    if isinstance(value, str) and value.startswith("https://"):
        # PyPI's folders are hashes: they tell a person nothing.
        folders = value.split("/")[3:-1]
        return "" if "packages" in folders else "/".join(folders[-2:])
    if isinstance(value, list | tuple):
        return f"{value[0]}..{value[-1]}" if value else "none"
    return str(value)
