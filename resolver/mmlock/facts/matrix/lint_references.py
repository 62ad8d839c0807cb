"""Faults between rows: a name that one file uses and no file explains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.names import DeviceKind, Platform, normalize
from mmlock.facts.matrix import model
from mmlock.facts.matrix.layout import Section
from mmlock.facts.matrix.lint_contradictions import contradictions
from mmlock.facts.matrix.packages import module_of, rows_of
from mmlock.facts.matrix.recipe_rows import IN_TREE

__all__ = ["reference_faults"]

Documents = Mapping[str, tuple[Section, model.Document[Any]]]
Fault = tuple[str, int, str]
"""File, index of the row, what is wrong."""


class _Facts:
    """Rows by section, with where they are."""

    def __init__(self, documents: Documents) -> None:
        self._rows: dict[str, list[tuple[str, int, Any]]] = {}
        for file, (section, document) in documents.items():
            self._rows.setdefault(section.name, []).extend(
                (file, index, row) for index, row in enumerate(document.rows)
            )
        for file, index, row in self.located("packages"):
            self._rows.setdefault("modules", []).append((file, index, module_of(row, row.source)))
            self._rows.setdefault("recipes", []).extend((file, index, recipe) for recipe in row.recipes)
            self._rows.setdefault("listed", []).extend(
                (file, index, build) for name in row.distributions for build in rows_of(row, name)
            )

    def located(self, section: str) -> list[tuple[str, int, Any]]:
        return self._rows.get(section, [])

    def rows(self, section: str) -> Iterator[Any]:
        for _, _, row in self.located(section):
            yield row

    def has(self, section: str) -> bool:
        """Without rows there is nothing to compare with; the missing file is a fault of its own."""
        return bool(self._rows.get(section))

    def release_packages(self) -> set[str]:
        return {file.rpartition("/")[2].removesuffix(".json") for file, _, _ in self.located("releases")}


def reference_faults(documents: Documents) -> Iterator[Fault]:
    """Every dangling reference, file by file."""
    facts = _Facts(documents)
    yield from _capabilities(facts)
    yield from _toolkits(facts)
    yield from _packages(facts)
    yield from _modules(facts)
    yield from contradictions(facts)
    yield from _index(facts)
    yield from _accelerators(facts)
    yield from _recipes(facts)
    yield from _defaults(facts)
    yield from _spellings(facts)


def _capabilities(facts: _Facts) -> Iterator[Fault]:
    known = {row.sm for row in facts.rows("capabilities")}
    for file, index, row in facts.located("gpus") if known else ():
        if row.sm not in known:
            yield file, index, f"sm: `{row.sm}` is no compute capability of capabilities.json"
    tegra = {row.sm for row in facts.rows("capabilities") if row.tegra}
    providers = {row.name for row in facts.rows("provider-names")}
    for file, index, row in facts.located("tegra-reports"):
        if known and row.sm not in tegra:
            yield file, index, f"sm: `{row.sm}` is no Tegra part of capabilities.json"
        if providers and row.provider not in providers:
            yield file, index, f"provider: `{row.provider}` is no name of curated/providers.toml"


def _toolkits(facts: _Facts) -> Iterator[Fault]:
    known = {row.cuda for row in facts.rows("toolkits")}
    for section in ("torch-builds", "toolchains") if known else ():
        for file, index, row in facts.located(section):
            if row.cuda is not None and row.cuda not in known:
                yield file, index, f"cuda: `{row.cuda}` is no CUDA of toolkits.json"


def _decided(facts: _Facts) -> set[str]:
    """Packages with facts of their own."""
    return {
        "torch",
        *facts.release_packages(),
        *(row.package for row in facts.rows("binaries")),
        *(row.package for row in facts.rows("recipes")),
        *(name for row in facts.rows("packages") for name in row.distributions),
    }


def _mentioned(facts: _Facts) -> set[str]:
    """Packages that some release asks for: the closure brings them."""
    texts = {text for row in facts.rows("releases") for text in (*row.requires, *row.mim)}
    names: set[str] = set()
    for text in texts:
        try:
            names.add(normalize(Requirement(text).name))
        except InvalidRequirement:
            continue
    return names


def _packages(facts: _Facts) -> Iterator[Fault]:
    in_modules = {package for row in facts.rows("modules") for package in row.packages}
    if not in_modules or not facts.has("releases"):
        return
    for file, index, row in facts.located("recipes"):
        if row.package not in in_modules | {IN_TREE} and row.package not in facts.release_packages():
            yield file, index, f"package: `{row.package}` is no package of modules.toml or openmmlab/releases"
    known = in_modules | _decided(facts) | _mentioned(facts) | {"python", "gpu"}
    for file, index, row in facts.located("breaks"):
        for when in row.when:
            if when.package not in known:
                yield file, index, f"when: `{when.package}` is no package any fact speaks of"


def _modules(facts: _Facts) -> Iterator[Fault]:
    decided = _decided(facts)
    if not facts.has("releases"):
        return
    for file, index, row in facts.located("modules"):
        if row.core and not decided.intersection(row.packages):
            yield file, index, "packages: no fact speaks of any of them, so the core cannot decide"
    known = {row.module for row in facts.rows("modules")}
    for file, index, row in facts.located("releases") if known else ():
        for item in row.asserts:
            if item.module not in known:
                yield file, index, f"asserts: `{item.module}` is no module of modules.toml"


def _index(facts: _Facts) -> Iterator[Fault]:
    """Single versions may be on the index and not on PyPI (mmcv-full 1.3.2); a package may not."""
    packages = facts.release_packages()
    for file, index, row in facts.located("openmmlab-index") if packages else ():
        if row.package not in packages:
            yield file, index, f"package: there is no openmmlab/releases/{row.package}.json"


def _accelerators(facts: _Facts) -> Iterator[Fault]:
    built = {arch for row in facts.rows("torch-builds") for arch in row.archs or ()}
    plugins = {row.package for row in facts.rows("binaries")}
    for file, index, row in facts.located("accelerators"):
        if (
            row.kind is DeviceKind.ROCM
            and row.answer is model.DeviceAnswer.LOCK
            and built
            and row.arch not in built
        ):
            yield file, index, f"arch: no torch build holds `{row.arch}`, so `lock` cannot be the answer"
        if row.plugin is not None and plugins and row.plugin not in plugins:
            yield file, index, f"plugin: there is no binaries/{row.plugin}.json"


def _recipes(facts: _Facts) -> Iterator[Fault]:
    builds = {(row.torch, row.variant, row.platform) for row in facts.rows("torch-builds")}
    for file, index, row in facts.located("recipes") if builds else ():
        for done in row.verified:
            if (done.torch, done.variant, done.platform) not in builds:
                where = f"torch {done.torch}+{done.variant} for {done.platform}"
                yield file, index, f"verified: there is no {where} in torch/builds.json"


def _defaults(facts: _Facts) -> Iterator[Fault]:
    stacks = {row.name for row in facts.rows("stacks")}
    for file, index, row in facts.located("defaults"):
        if row.name == "stack" and stacks and row.value not in stacks:
            yield file, index, f"value: `{row.value}` is no stack of stacks.toml"
        if row.name == "platform" and row.value not in set(Platform):
            yield file, index, f"value: `{row.value}` is no platform"


def _spellings(facts: _Facts) -> Iterator[Fault]:
    """Names of devices that only case and spaces tell apart."""
    seen: dict[str, str] = {}
    for section in ("gpus", "accelerators"):
        for file, index, row in facts.located(section):
            for name in dict.fromkeys((row.name, *row.aliases)):
                spelled = "".join(filter(str.isalnum, name.lower()))
                other = seen.setdefault(spelled, row.name)
                if other != row.name:
                    yield file, index, f"aliases: `{name}` also names `{other}`"
