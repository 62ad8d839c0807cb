"""Faults of a single row that is written by hand."""

from __future__ import annotations

import re

from mmlock.core.versions import allows
from mmlock.facts.matrix import lint_forms as forms
from mmlock.facts.matrix import model
from mmlock.facts.matrix.lint_forms import Faults
from mmlock.facts.matrix.lint_rows import row_faults
from mmlock.facts.matrix.recipe_rows import MeasuredBuild

__all__ = ["row_faults"]

_LEAST_RANK = 9


@row_faults.register
def _(row: model.Breakage) -> Faults:
    if not row.when:
        yield "when: is empty, so it would always hold"
    for when in row.when:
        yield from forms.names("when.package", (when.package,))
        yield from forms.specifiers("when.versions", when.versions)
        yield from forms.specifiers("when.cuda", when.cuda)
    for field in ("title", "symptom", "fix"):
        yield from forms.said(field, getattr(row, field))
    yield from forms.requirements("constraints", row.constraints)
    yield from forms.requirements("add", row.add)
    yield from forms.names("drop", row.drop)
    if row.dead:
        names = [str(when.package) for when in row.when]
        others = sorted({*names} - {"gpu", "torch"})
        if "gpu" not in names or len(others) != 1 or len(names) - names.count("gpu") > 2:  # noqa: PLR2004
            yield "dead: is of one package on a `gpu`, with any torch or with some"
        if row.cured:
            yield "dead: what a lock cures is not dead"


@row_faults.register
def _(row: model.NameSource) -> Faults:
    yield from forms.names("package", (row.package,))
    yield from forms.specifiers("releases", row.releases)
    if not row.modules:
        yield "modules: are missing"
    if row.depth is not None and row.depth < 1:
        yield f"depth: {row.depth} would leave no module"


@row_faults.register
def _(row: model.Recipe) -> Faults:
    yield from forms.names("package", (row.package,))
    faults = [
        *forms.specifiers("versions", row.versions),
        *forms.specifiers("torch", row.torch),
        *forms.specifiers("pythons", row.pythons),
    ]
    yield from faults
    if row.std is not None:
        yield from forms.one_of("std", row.std, forms.STANDARDS)
    if not row.kinds:
        yield "kinds: are missing"
    yield from forms.requirements("build_requires", row.build_requires)
    for check in row.check:
        if not re.match(r"(file|tag):.", check):
            yield f"check: `{check}` starts with neither `file:` nor `tag:`"
    if row.memory_mb <= 0:
        yield f"memory_mb: {row.memory_mb} is no amount of memory"
    for patch in row.patches:
        yield from forms.said("patches.find", patch.find)
        yield from forms.said("patches.reason", patch.reason)
    for grouping in row.groupings:
        yield from _grouping(grouping)
    if not faults:
        yield from _done(row)


def _done(row: model.Recipe) -> Faults:
    """Of what was built with it."""
    for done in row.verified:
        yield from _verified(row, done)
    for took in row.measured:
        yield from _measured(row, took)


def _grouping(grouping: model.Grouping) -> Faults:
    yield from forms.specifiers("groupings.versions", grouping.versions)
    yield from forms.specifiers("groupings.torch", grouping.torch)
    names = [name for group in grouping.groups for name in group]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"groupings: `{name}` is in two groups"
    for group in grouping.groups:
        if len(group) < 2:  # noqa: PLR2004  fewer make no group
            yield f"groupings: {', '.join(group) or 'nothing'} is no group"
        if any("/" in name for name in group):
            yield "groupings: names are of files in `folder`, without a path"


def _verified(recipe: model.Recipe, done: model.Verified) -> Faults:
    yield from forms.matches("verified.variant", (done.variant,), forms.VARIANT, "torch variant")
    wrong = [*forms.versions("verified", done.version, done.torch, done.python)]
    yield from wrong
    if wrong:
        return
    for field, bound, value in (
        ("versions", recipe.versions, done.version),
        ("torch", recipe.torch, done.torch),
        ("pythons", recipe.pythons, done.python),
    ):
        if not allows(bound, value):
            yield f"verified: `{value}` is outside of `{field}` (`{bound}`)"


def _measured(recipe: model.Recipe, took: MeasuredBuild) -> Faults:
    yield from forms.matches("measured.variant", (took.variant,), forms.VARIANT, "torch variant")
    yield from forms.said("measured.how", took.how)
    wrong = [*forms.versions("measured", took.version, took.torch)]
    yield from wrong
    if not wrong and not (allows(recipe.versions, took.version) and allows(recipe.torch, took.torch)):
        yield f"measured: {took.version} with torch {took.torch} is outside of what the recipe is for"
    if took.cpu_seconds <= 0 or (took.archs > 0) != took.variant.startswith("cu"):
        yield "measured: `cpu_seconds` and, for CUDA alone, `archs` must be above zero"


@row_faults.register
def _(row: model.Stack) -> Faults:
    yield from forms.said("title", row.title)
    yield from forms.requirements("requirements", row.requirements)
    if not row.requirements:
        yield "requirements: are missing"


@row_faults.register
def _(row: model.Module) -> Faults:
    yield from forms.names("packages", row.packages)
    for field in ("with_ops", "on_request"):
        for package in getattr(row, field):
            if package not in row.packages:
                yield f"{field}: `{package}` is not among `packages`"
    if not row.packages:
        yield "packages: are missing"


@row_faults.register
def _(row: model.Default) -> Faults:
    yield from forms.said("value", row.value)


@row_faults.register
def _(row: model.Board) -> Faults:
    if not row.name.isalnum() or row.name != row.name.upper():
        yield f"`name` is `{row.name}`, not one upper-case word"


@row_faults.register
def _(row: model.NameRule) -> Faults:
    yield from forms.said("chip", row.chip)
    try:
        pattern = re.compile(row.pattern)
        pattern.sub(row.chip, "")
    except re.error as error:
        yield f"pattern, chip: `{row.pattern}` with `{row.chip}` is no rule ({error})"
        return
    if pattern.fullmatch(""):
        yield f"pattern: `{row.pattern}` matches every name"


@row_faults.register
def _(row: model.Namesake) -> Faults:
    yield from forms.names("name", (row.name,))
    for field in ("means", "way"):
        yield from forms.said(field, getattr(row, field))
    if (row.holds in {model.IndexHolds.ANOTHER, model.IndexHolds.PLACEHOLDER}) is not bool(row.found):
        yield "found: says what another project or a placeholder is, and nothing else"
    yield from forms.versions("serves", *row.serves)


@row_faults.register
def _(row: model.Repository) -> Faults:
    yield from forms.names("name, package", (row.name, row.package))
    if not row.repository.startswith("https://"):
        yield f"repository: `{row.repository}` is no address"


@row_faults.register
def _(row: model.Cudnn) -> Faults:
    yield from forms.specifiers("versions", row.versions)
    yield from forms.matches("cuda", (row.cuda,), re.compile(r"\d{1,2}"), "major of CUDA")
    yield from forms.archs("lowest, highest", (row.lowest, row.highest))


@row_faults.register
def _(row: model.TegraReport) -> Faults:
    yield from forms.archs("sm, runs", (row.sm, row.runs))
    yield from forms.specifiers("cuda", row.cuda)


@row_faults.register
def _(row: model.CondaTorch) -> Faults:
    yield from forms.url("channel", row.channel)
    yield from forms.specifiers("torch", row.torch)
    yield from forms.specifiers("cuda", row.cuda)
    yield from forms.specifiers("builds", row.builds)
    yield from forms.archs("archs", row.archs)
    yield from forms.archs("ptx", row.ptx, prefix="compute_")


@row_faults.register
def _(row: model.CondaName) -> Faults:
    yield from forms.names("pypi", (row.pypi,))
    yield from forms.said("conda", row.conda)


@row_faults.register
def _(row: model.Symptom) -> Faults:
    yield from forms.said("title", row.title)
    for field in ("cause", "advice"):
        for text in getattr(row, field):
            yield from forms.said(field, text)
    for pattern in row.patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"patterns: `{pattern}` is no regular expression ({error})"
    if not 0 <= row.rank <= _LEAST_RANK:
        yield f"rank: {row.rank} is not between 0 and {_LEAST_RANK}"
    yield from forms.said("example", row.example)
    for cure in row.cures:
        words = (*cure.packages, *cure.otherwise)
        yield from forms.requirements("cures.packages", (p for p in words if not p.startswith("{")))
        if bool(cure.command) == bool(cure.packages or cure.options):
            yield "cures: each has either a `command` or the words of a solve"


@row_faults.register
def _(row: model.Phrase) -> Faults:
    yield from forms.said("said", row.said)
    yield from forms.said("means", row.means)
    if row.said.count("{x}") > 1 or row.means.count("{x}") > row.said.count("{x}"):
        yield "said, means: `{x}` is in `said` at most once, and in `means` only when it is there"
    if not row.said.replace("{x}", "").strip():
        yield "said: is nothing but `{x}`"


@row_faults.register
def _(row: model.CompiledModule) -> Faults:
    if not row.module.isidentifier():
        yield f"module: `{row.module}` is no name of a module"
    if row.package is not None:
        yield from forms.names("package", (row.package,))
    if (row.package is None) == (row.project is None):
        yield "package, project: set exactly one of them, the owner"
