"""Faults of a row that describes a compiled package: wheel names that nobody can read, keys that disagree.

`row_faults` from here knows rows of every kind.
"""

from __future__ import annotations

import re

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from mmlock.core.names import PackageName, Platform, normalize
from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.matrix import lint_forms as forms
from mmlock.facts.matrix import model
from mmlock.facts.matrix.lint_curated import row_faults
from mmlock.facts.matrix.lint_forms import Faults
from mmlock.facts.matrix.lint_rows import DOTTED, PYTHON
from mmlock.facts.matrix.packages import (
    PLACEHOLDERS,
    Offer,
    OnPyPI,
    Tie,
    WheelTable,
    placeholders,
    rows_of,
    words_of,
)

__all__ = ["row_faults"]

_CUDA = re.compile(r"\d{1,2}(\.\d{1,2})?")


@row_faults.register
def _(row: model.Package) -> Faults:
    yield from forms.said("module", row.module)
    yield from forms.names("distributions", row.distributions)
    if not row.distributions:
        yield "distributions: are missing"
        return
    for field in ("with_ops", "on_request"):
        for package in getattr(row, field) or ():
            if package not in row.distributions:
                yield f"{field}: `{package}` is not among `distributions`"
    yield from forms.said("install", row.install)
    yield from forms.url("home", row.home)
    for recipe in row.recipes:
        if recipe.package not in row.distributions:
            yield f"recipes: `{recipe.package}` is not among `distributions`"
        for fault in row_faults(recipe):
            yield f"recipes.{fault}"
    for number, table in enumerate(row.wheels):
        for fault in _table(row, table):
            yield f"wheels[{number}].{fault}"


@row_faults.register
def _(row: model.Provider) -> Faults:
    if row.name != normalize(row.name):
        yield f"name: `{row.name}` is not in normal form (`{normalize(row.name)}`)"
    for field in ("title", "offers"):
        yield from forms.said(field, getattr(row, field))
    yield from forms.url("home", row.home)
    yield from forms.names("packages", (*row.packages, *row.instead_of))
    if not row.packages:
        yield "packages: are missing"
    if row.takes and row.kind in {Offer.CONDA, Offer.CONTAINER}:
        yield f"takes: contradicts `kind`: no file of a {row.kind} may stand in a lock of wheels"


def _table(row: model.Package, table: WheelTable) -> Faults:
    if table.distribution is not None and table.distribution not in row.distributions:
        yield f"distribution: `{table.distribution}` is not among `distributions`"
    if not table.versions:
        yield "versions: are missing"
    if not table.tags:
        yield 'tags: are missing; expected a platform and its tag, `linux_x86_64 = "manylinux_2_28_x86_64"`'
    values = [
        *forms.versions("versions", *table.versions),
        *_torch(table.tie or row.tie, table),
        *forms.matches("variants", table.variants, forms.VARIANT, "torch variant"),
        *forms.matches("cuda", (table.cuda,), _CUDA, "version or major of CUDA"),
        *forms.matches("pythons", table.pythons, PYTHON, "Python version"),
        *forms.requirements("requires", table.requires or ()),
        *forms.matches("glibc", (table.glibc,), DOTTED, "glibc version"),
        *forms.archs("archs", table.archs),
        *forms.archs("ptx", table.ptx, prefix="compute_"),
    ]
    yield from values
    if table.url is None and row.pypi is not OnPyPI.WHEELS:
        yield f"url: is missing: the wheels are not on PyPI, whose `{row.distributions[0]}` is `{row.pypi}`"
    if table.archs is None and table.ptx:
        yield "archs: are missing, though `ptx` is there"
    if table.variants and table.same_variant:
        yield "same_variant: contradicts `variants`: a build for each variant, or for the listed ones"
    if table.url is not None and not values and table.tags and table.versions:
        yield from _url(row, table, table.url)


def _torch(tie: Tie, table: WheelTable) -> Faults:
    """The torch of a table, as the tie of its package wants it."""
    if tie is Tie.NONE:
        if table.torch:
            yield 'torch: contradicts `tie = "none"`: a wheel that links no torch is built for none'
        return
    if not table.torch:
        yield f'torch: is missing; `tie = "{tie}"` wants the releases that the wheels are for'
    check = forms.specifiers if tie is Tie.DECLARED else forms.versions
    yield from check("torch", *table.torch)


def _url(row: model.Package, table: WheelTable, url: str) -> Faults:
    try:
        named = placeholders(url)
    except ValueError as error:
        yield f"url: `{url}` is no naming rule ({error})"
        return
    if unknown := [name for name in named if name not in PLACEHOLDERS]:
        yield f"url: `{{{unknown[0]}}}` is unknown; expected one of {', '.join(map(_braced, PLACEHOLDERS))}"
        return
    torch, variant = next(iter(table.torch), None), next(iter(table.variants), None)
    told = {*words_of(table, table.versions[0], torch, variant), "tag", "py", *(["abi"] if table.abi else [])}
    if lacking := [name for name in named if name not in told]:
        yield f"url: `{{{lacking[0]}}}` is used, and the table does not say what it is"
        return
    if "py" in named and not table.pythons:
        yield "pythons: are missing, though `url` has `{py}`"
        return
    yield from _names(row, table)


def _braced(name: str) -> str:
    return f"`{{{name}}}`"


def _names(row: model.Package, table: WheelTable) -> Faults:
    """The file names that the rule makes, read as an installer reads them; each fault once."""
    distribution = table.distribution or row.distributions[0]
    alone = model.Package(
        module=row.module,
        distributions=row.distributions,
        pypi=row.pypi,
        tie=row.tie,
        install=row.install,
        home=row.home,
        wheels=(table,),
        source=row.source,
        confidence=row.confidence,
    )
    for build in rows_of(alone, distribution):
        url = (build.url or "").replace("{py}", "cp312")
        if table.listed is None:
            yield from forms.url("url", url)
        fault = _name_fault(url.rpartition("/")[2], distribution, build.version, build.platforms[0])
        if fault is not None:
            yield f"url: {fault}"
            return


def _name_fault(name: str, package: PackageName, release: str, platform: Platform) -> str | None:
    name = name.replace("%2B", "+")
    try:
        held, found, _, tags = parse_wheel_filename(name)
        same = found.public == version(release).public
    except (InvalidWheelFilename, InvalidVersion) as error:
        return f"`{name}` is no wheel name ({error})"
    if normalize(held) != package:
        return f"`{name}` is a wheel of `{held}`, not of `{package}`"
    if not same:
        return f"`{name}` is version {found}, not {release}"
    machine = platform.partition("_")[2] if platform.is_linux else ""
    if not all(machine in tag.platform for tag in tags):
        return f"`{name}` is not for {platform}"
    return None
