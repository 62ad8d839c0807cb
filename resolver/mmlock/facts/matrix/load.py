"""The facts of `matrices/` as values: read on demand, decoded strictly, kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import structs

from mmlock.core.extension import Extension
from mmlock.core.names import PackageName, normalize
from mmlock.facts.matrix import model
from mmlock.facts.matrix.advisories import Advisory
from mmlock.facts.matrix.decoding import decode
from mmlock.facts.matrix.location import ENVIRONMENT_VARIABLE, find_root, matrix_files
from mmlock.facts.matrix.name_tables import NameTables
from mmlock.facts.matrix.packages import module_of, rows_of
from mmlock.facts.matrix.provenance import cited
from mmlock.facts.matrix.wheel_tables import listed_binary, listed_requires, provided_binary

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "Matrix",
    "decode",
    "find_root",
    "keep_open",
    "matrix_files",
    "open_matrix",
]


class Matrix(NameTables):
    """All committed facts. Sections are read when first asked for; nothing is ever changed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Matrix({str(self.root)!r})"

    # ------------------------------------------------------------ hardware and toolkits

    @property
    def gpus(self) -> tuple[model.Gpu, ...]:
        """Every NVIDIA part known by name."""
        return self._rows("gpus")

    @property
    def capabilities(self) -> tuple[model.Capability, ...]:
        """Every compute capability."""
        return self._rows("capabilities")

    @property
    def accelerators(self) -> tuple[model.Accelerator, ...]:
        """Devices that are not NVIDIA GPUs, the CPU among them."""
        return self._rows("accelerators")

    @property
    def toolkits(self) -> tuple[model.Toolkit, ...]:
        """Every CUDA toolkit release."""
        return self._rows("toolkits")

    @property
    def toolchains(self) -> tuple[model.Toolchain, ...]:
        """Ways to get a CUDA toolkit for a build."""
        return self._rows("toolchains")

    # ------------------------------------------------------------ torch and friends

    @property
    def torch_builds(self) -> tuple[model.TorchBuild, ...]:
        """Every build of torch: release x variant x platform."""
        return self._rows("torch-builds")

    @property
    def cpp_extension(self) -> Mapping[str, model.CppExtension]:
        """What each torch release does when it builds an extension, by release."""
        value: Mapping[str, model.CppExtension] | None = self._values.get("cpp-extension")
        if value is None:
            value = {row.torch: row for row in self._rows("cpp-extension")}
            self._values["cpp-extension"] = value
        return value

    @property
    def binary_packages(self) -> tuple[PackageName, ...]:
        """Packages with prebuilt wheels that are tied to torch or CUDA."""
        value: tuple[PackageName, ...] | None = self._values.get("binary packages")
        if value is None:
            described = {name for name in self.described if self.binaries(name)}
            value = self._values["binary packages"] = tuple(sorted({*self._packages("binaries"), *described}))
        return value

    def binaries(self, package: str) -> tuple[model.Binary, ...]:
        """Prebuilt wheels of a package: those recorded one by one, then those that tables list; or none."""
        key = f"wheels {normalize(package)}"
        value: tuple[model.Binary, ...] | None = self._values.get(key)
        if value is None:
            own = (row for row in self._tabled(normalize(package)) if row.provider is None)
            value = self._values[key] = (*self._rows_for("binaries", package), *own)
        return value

    def provided(self, package: str) -> tuple[model.Binary, ...]:
        """Wheels of a package that others built: tables, and what was read on their indexes; or none."""
        key = f"provided {normalize(package)}"
        value: tuple[model.Binary, ...] | None = self._values.get(key)
        if value is None:
            tabled = (row for row in self._tabled(normalize(package)) if row.provider is not None)
            read = (provided_binary(row) for row in self._rows_for("providers", package))
            value = self._values[key] = (*tabled, *read)
        return value

    @property
    def providers(self) -> tuple[model.Provider, ...]:
        """Who builds packages of other projects."""
        return self._rows("provider-names")

    def _tabled(self, package: PackageName) -> Iterator[model.Binary]:
        row = self.described.get(package)
        for build in rows_of(row, package) if row is not None else ():
            yield listed_binary(build, self._described[1][package])

    def lockable(self, package: PackageName) -> bool:
        """Whether some fact says where a wheel of it is, or how one is made."""
        return bool(
            self.binaries(package)
            or self.releases(package)
            or any(recipe.package == package for recipe in self.recipes)
        )

    def cited(self, row: model.Package) -> tuple[str, ...]:
        """The sources of a described package, findable from anywhere."""
        return cited("packages", row.source, self._described[1].get(row.distributions[0]))

    @property
    def described(self) -> Mapping[PackageName, model.Package]:
        """Compiled packages that are one row of data, by each of their distributions."""
        return self._described[0]

    @property
    def _described(self) -> tuple[dict[PackageName, model.Package], dict[PackageName, str]]:
        """Those rows, and the files that they are in."""
        value: tuple[dict[PackageName, model.Package], dict[PackageName, str]] | None
        value = self._values.get("described")
        if value is None:
            value = {}, {}
            for file in self._packages("packages"):
                for row in self._rows_for("packages", file):
                    for name in row.distributions:
                        value[0][name], value[1][name] = row, file
            self._values["described"] = value
        return value

    @property
    def file_packages(self) -> tuple[PackageName, ...]:
        """Packages (and indexes) whose files are recorded."""
        return self._packages("files")

    def files(self, package: str) -> tuple[model.File, ...]:
        """Files an index serves for a package; empty when they are not recorded."""
        return self._rows_for("files", package)

    @property
    def requires_packages(self) -> tuple[PackageName, ...]:
        """Packages whose wheel metadata is recorded."""
        return self._packages("requires")

    def requires(self, package: str) -> tuple[model.Requires, ...]:
        """Recorded metadata of a package's releases; empty when there is none.

        What tables of wheels say counts only for releases whose metadata nobody read.
        """
        key = f"required {normalize(package)}"
        value: tuple[model.Requires, ...] | None = self._values.get(key)
        if value is None:
            read: tuple[model.Requires, ...] = self._rows_for("requires", package)
            known = {one.version for one in read}
            told = {one.version: one for one in self._tabled_requires(normalize(package))}
            more = tuple(row for version, row in told.items() if version not in known)
            value = self._values[key] = (*read, *more)
        return value

    def _tabled_requires(self, package: PackageName) -> Iterator[model.Requires]:
        row = self.described.get(package)
        for table in row.wheels if row is not None else ():
            if row is not None and (table.distribution or row.distributions[0]) == package:
                yield from listed_requires(table, self._described[1][package])

    def conda(self, subdir: str) -> tuple[model.CondaRecord, ...]:
        """Recorded packages of conda channels for a platform (`linux-64`), or for all (`noarch`)."""
        return self._rows_for("conda", subdir)

    @property
    def conda_torch(self) -> tuple[model.CondaTorch, ...]:
        """Which GPUs builds of a channel's pytorch have code for."""
        return self._rows("conda-torch")

    @property
    def conda_names(self) -> tuple[model.CondaName, ...]:
        """Packages that conda channels call otherwise than PyPI."""
        return self._rows("conda-names")

    @property
    def advisory_packages(self) -> tuple[PackageName, ...]:
        """Packages with known vulnerabilities."""
        return self._packages("advisories")

    def advisories(self, package: str) -> tuple[Advisory, ...]:
        """Known vulnerabilities of a package; empty when none is recorded."""
        return self._rows_for("advisories", package)

    # ------------------------------------------------------------ OpenMMLab

    @property
    def index_rows(self) -> tuple[model.IndexRow, ...]:
        """What is in each directory of OpenMMLab's wheel index."""
        return self._rows("openmmlab-index")

    @property
    def release_packages(self) -> tuple[PackageName, ...]:
        """OpenMMLab packages (and forks) whose releases were scanned."""
        return self._packages("releases")

    def releases(self, package: str) -> tuple[model.Release, ...]:
        """Scanned releases of a package; empty when it is not an OpenMMLab one."""
        return self._rows_for("releases", package)

    @property
    def ops(self) -> tuple[model.Op, ...]:
        """What `mmcv.ops` provides, and what each of it needs."""
        return self._rows("ops")

    @property
    def reach_packages(self) -> tuple[PackageName, ...]:
        """Frameworks whose sources were scanned for the ops they reach."""
        return self._packages("reach")

    def reach(self, package: str) -> tuple[model.Reach, ...]:
        """Which ops the scanned releases of a framework reach; empty when none was scanned."""
        return self._rows_for("reach", package)

    # ------------------------------------------------------------ validations

    @property
    def validations(self) -> tuple[model.Validation, ...]:
        """Locks whose kernels ran on what they are for, and held."""
        return self._rows("verdicts")

    # ------------------------------------------------------------ curated

    @property
    def breaks(self) -> tuple[model.Breakage, ...]:
        """What is known to fail although every declared bound holds."""
        return self._rows("breaks")

    @property
    def recipes(self) -> tuple[model.Recipe, ...]:
        """How packages are built from source."""
        value: tuple[model.Recipe, ...] | None = self._values.get("recipes")
        if value is None:
            own = (
                structs.replace(recipe, source=cited("packages", recipe.source, self._described[1][name]))
                for name, row in self.described.items()
                for recipe in row.recipes
                if recipe.package == name
            )
            value = self._values["recipes"] = (*self._rows("recipes"), *own)
        return value

    @property
    def stacks(self) -> tuple[model.Stack, ...]:
        """Named sets of requirements."""
        return self._rows("stacks")

    @property
    def symptoms(self) -> tuple[model.Symptom, ...]:
        """Texts that people see when something fails, and what they mean."""
        return self._rows("symptoms")

    @property
    def phrases(self) -> tuple[model.Phrase, ...]:
        """What compilers, loaders and shells say in other languages."""
        return self._rows("phrases")

    @property
    def compiled_modules(self) -> tuple[model.CompiledModule, ...]:
        """Whose a compiled module is."""
        return self._rows("compiled-modules")

    @property
    def modules(self) -> tuple[model.Module, ...]:
        """Which distributions provide an import name."""
        value: tuple[model.Module, ...] | None = self._values.get("modules")
        if value is None:
            own = {
                row.module: module_of(row, cited("packages", row.source, self._described[1][name]))
                for name, row in self.described.items()
            }
            every = (*self._rows("modules"), *own.values())
            value = self._values["modules"] = tuple(sorted(every, key=lambda row: row.module))
        return value

    @property
    def submodules(self) -> tuple[model.Submodule, ...]:
        """Parts of packages that only some releases have."""
        return self._rows("submodules")

    @property
    def mmcv_eras(self) -> tuple[model.MmcvEra, ...]:
        """From which release on packages build on mmcv 2."""
        return self._rows("mmcv-eras")

    @property
    def boards(self) -> tuple[model.Board, ...]:
        """Parts that sit on a processor of their own."""
        return self._rows("boards")

    @property
    def cudnn(self) -> tuple[model.Cudnn, ...]:
        """Which GPUs releases of cuDNN have kernels for."""
        return self._rows("cudnn")

    @property
    def tegra_reports(self) -> tuple[model.TegraReport, ...]:
        """Code of other archs that was seen to run on Tegra parts."""
        return self._rows("tegra-reports")

    @property
    def namesakes(self) -> tuple[model.Namesake, ...]:
        """Names under which an index does not serve what is meant."""
        return self._rows("namesakes")

    @property
    def repositories(self) -> tuple[model.Repository, ...]:
        """Repositories that are named otherwise than what they make."""
        return self._rows("repositories")

    @property
    def name_rules(self) -> tuple[model.NameRule, ...]:
        """How names of virtual and mobile GPUs lead to their chip."""
        return self._rows("name-rules")

    @property
    def name_sources(self) -> tuple[model.NameSource, ...]:
        """Packages, beside OpenMMLab's, whose names are recorded."""
        return self._rows("name-sources")

    @property
    def defaults(self) -> Mapping[str, str]:
        """Values taken when the user says nothing, by name."""
        value: Mapping[str, str] | None = self._values.get("defaults")
        if value is None:
            value = {row.name: row.value for row in self._rows("defaults")}
            self._values["defaults"] = value
        return value

    @property
    def extensions(self) -> Mapping[PackageName, Extension]:
        """Extensions of the user's own tree, which no committed fact speaks of: none but in a request."""
        return {}


# ---------------------------------------------------------------- finding


def open_matrix(path: Path | None = None) -> Matrix:
    """The matrix at `path`, else at $MMLOCK_MATRICES, else the one shipped, else the checkout's."""
    root = find_root(path, os.environ)
    return _kept.setdefault(root, Matrix(root)) if _keeping else Matrix(root)


_kept: dict[Path, Matrix] = {}
_keeping: list[bool] = []


def keep_open() -> None:
    """From here on, this process reads each matrix folder once: for one that answers many requests."""
    _keeping.append(True)
