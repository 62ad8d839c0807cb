"""The facts as a conda environment sees them: its torch is the channel's, and nothing is linked to PyPI's.

Wheels that were compiled against PyPI's torch, OpenMMLab's included, are not in this view: another build of
torch has other libraries under it. What is pure Python, and what is built, is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmlock.core.names import Confidence, PackageName, Platform
from mmlock.core.versions import InvalidVersion, allows, version
from mmlock.facts.matrix import model
from mmlock.facts.matrix.companions import companions
from mmlock.facts.matrix.load import Matrix

__all__ = ["VARIANT", "with_conda"]

VARIANT = "conda."
"""How the variant of a channel's torch starts; then comes what its build string starts with."""

_BUILD = re.compile(r"(cuda|cpu)(\d*)(?:_[a-z]+)*_py(\d)(\d+)_?h[0-9a-f]+_\d+")
_LINKED = re.compile(r"pytorch >=(\d+(?:\.\d+)*),<(\d+(?:\.\d+)*)a0")
_HUNDRED = 100


def with_conda(
    matrix: Matrix, records: Mapping[str, Sequence[model.CondaRecord]], platform: Platform
) -> Matrix:
    """The same facts, with the torch of these records (by subdir) in the place of all others."""
    return _Conda(matrix, records, platform)


class _Conda(Matrix):
    """Facts of a request with conda. Its digest is that of the committed facts."""

    __slots__ = ("_base", "_binaries", "_builds")

    def __init__(
        self, matrix: Matrix, records: Mapping[str, Sequence[model.CondaRecord]], platform: Platform
    ) -> None:
        super().__init__(matrix.root)
        self._base = matrix
        rows = [row for found in records.values() for row in found]
        self._builds = _torch_builds(matrix, rows, platform)
        self._binaries = {name: _companions(rows, name, platform) for name in companions(matrix)}

    @property
    def torch_builds(self) -> tuple[model.TorchBuild, ...]:
        return self._builds

    @property
    def index_rows(self) -> tuple[model.IndexRow, ...]:
        return ()

    @property
    def extensions(self) -> Mapping[PackageName, Any]:
        return self._base.extensions

    @property
    def modules(self) -> tuple[model.Module, ...]:
        return self._base.modules

    @property
    def recipes(self) -> tuple[model.Recipe, ...]:
        return self._base.recipes

    def sources(self, section: str, package: str | None = None) -> Mapping[str, str]:
        """Rows of this view carry the texts of their sources themselves."""
        told = super().sources(section, package)
        rows: Sequence[model.TorchBuild | model.Binary] = ()
        if section == "torch-builds":
            rows = self._builds
        elif section == "binaries" and package is not None:
            rows = self.binaries(package)
        return {**told, **{text: text for row in rows for text in row.source}}

    def binaries(self, package: str) -> tuple[model.Binary, ...]:
        return self._binaries.get(PackageName(package), ())

    def requires(self, package: str) -> tuple[model.Requires, ...]:
        """What the channel's own packages need is the channel's to say."""
        if package == "torch" or package in self._binaries:
            return ()
        return self._base.requires(package)


def _torch_builds(
    matrix: Matrix, rows: Iterable[model.CondaRecord], platform: Platform
) -> tuple[model.TorchBuild, ...]:
    found: dict[tuple[str, str, str], model.TorchBuild] = {}
    for row in rows:
        match = _BUILD.fullmatch(row.build) if row.name == "pytorch" else None
        if match is None:
            continue
        digits = match[2]
        cuda = f"{digits[:-1]}.{digits[-1]}" if match[1] == "cuda" and len(digits) > 1 else None
        if match[1] == "cuda" and cuda is None:
            continue  # which CUDA it is built with is not in its name
        variant = f"{VARIANT}{match[1]}{digits}"
        known = found.get((row.version, variant, row.channel))
        pythons = {f"{match[3]}.{match[4]}", *(known.pythons if known else ())}
        facts = _code(matrix, row, cuda, platform)
        found[row.version, variant, row.channel] = model.TorchBuild(
            torch=row.version,
            variant=variant,
            platform=platform,
            cuda=cuda,
            on_pypi=False,
            index=row.channel,
            archs=() if cuda is None else facts.archs if facts else None,
            ptx=facts.ptx if facts else (),
            cxx11_abi=1,
            glibc=_glibc(row),
            cudart=None,
            pythons=tuple(sorted(pythons, key=version)),
            source=_told(matrix, facts) if facts else (f"{row.channel}: {row.file}",),
            confidence=facts.confidence if facts else Confidence.CAPTURED,
        )
    return tuple(found.values())


def _code(
    matrix: Matrix, row: model.CondaRecord, cuda: str | None, platform: Platform
) -> model.CondaTorch | None:
    if cuda is None:
        return None
    number = str(row.build_number % _HUNDRED)
    for facts in matrix.conda_torch:
        try:
            fits = (
                facts.channel == row.channel
                and allows(facts.torch, row.version)
                and allows(facts.cuda, cuda)
                and allows(facts.builds, number)
            )
        except InvalidVersion:
            continue
        if fits and (not facts.platforms or platform in facts.platforms):
            return facts
    return None


def _told(matrix: Matrix, facts: model.CondaTorch) -> tuple[str, ...]:
    """The sources of a fact as texts: no file of torch builds has its keys."""
    texts = matrix.sources("conda-torch")
    return tuple(texts.get(key, key) for key in facts.source)


def _glibc(row: model.CondaRecord) -> str | None:
    for spec in row.depends:
        if found := re.match(r"__glibc >=(\d+\.\d+)", spec):
            return found[1]
    return None


def _companions(
    rows: Iterable[model.CondaRecord], name: PackageName, platform: Platform
) -> tuple[model.Binary, ...]:
    found = {}
    for row in rows:
        match = next((m for spec in row.depends if (m := _LINKED.fullmatch(spec))), None)
        if row.name == name and match is not None:
            found[row.version, match[1]] = model.Binary(
                package=name,
                version=row.version,
                torch=f">={match[1]},<{match[2]}",
                cuda=None,
                same_variant=True,
                cxx11_abi=1,
                archs=None,
                ptx=(),
                cudart=None,
                glibc=_glibc(row),
                pythons=(),
                platforms=(platform,),
                url=None,
                yanked=False,
                source=(f"{row.channel}: {row.file}",),
                confidence=row.confidence,
            )
    return tuple(found.values())
