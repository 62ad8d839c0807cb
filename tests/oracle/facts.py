"""The files of `matrices/`, read by what reads JSON and TOML and by nothing of mmlock."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Row = Mapping[str, Any]
ROOT = Path(__file__).parents[2] / "matrices"
PATCHES = tuple(range(40))
"""A lock is for a minor release of Python: some patch release of it must do."""


@cache
def rows(path: str) -> tuple[Row, ...]:
    """The rows of one file; none where there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return ()
    text = file.read_text(encoding="utf-8")
    return tuple((tomllib.loads(text) if path.endswith(".toml") else json.loads(text))["rows"])


@cache
def defaults() -> Mapping[str, str]:
    return {row["name"]: row["value"] for row in rows("curated/defaults.toml")}


@cache
def ver(text: str) -> Version:
    return Version(text)


@cache
def _specifier(text: str) -> SpecifierSet:
    return SpecifierSet(text)


@cache
def within(specifier: str, version: str) -> bool:
    """PEP 440, where a pre-release in the range is in the range."""
    return not specifier or _specifier(specifier).contains(ver(version), prereleases=True)


@cache
def python_within(specifier: str | None, python: str) -> bool:
    """Whether some patch release of a Python is in a range."""
    return not specifier or any(within(specifier, f"{python}.{patch}") for patch in PATCHES)


@cache
def requirement(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


_MACHINES = {
    "linux_x86_64": ("posix", "linux", "Linux", "x86_64"),
    "linux_aarch64": ("posix", "linux", "Linux", "aarch64"),
    "macosx_arm64": ("posix", "darwin", "Darwin", "arm64"),
    "macosx_x86_64": ("posix", "darwin", "Darwin", "x86_64"),
    "win_amd64": ("nt", "win32", "Windows", "AMD64"),
}


@cache
def marker_holds(marker: str | None, platform: str, python: str) -> bool:
    """PEP 508 on the target's machine, with the newest patch release of its Python."""
    if marker is None:
        return True
    os_name, sys_platform, system, machine = _MACHINES[platform]
    return Marker(marker).evaluate(
        {
            "os_name": os_name,
            "sys_platform": sys_platform,
            "platform_system": system,
            "platform_machine": machine,
            "python_version": python,
            "python_full_version": f"{python}.99",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "extra": "",
        }
    )


@cache
def openmmlab_key(text: str) -> tuple[int, ...]:
    """What OpenMMLab's `digit_version` makes of a version: four numbers, then what stands before a final."""
    version = ver(text)
    numbers = (*version.release, 0, 0, 0, 0)[:4]
    if version.pre is not None:
        return (*numbers, {"a": -3, "b": -2, "rc": -1}[version.pre[0]], version.pre[1])
    if version.dev is not None:
        return (*numbers, -4, 0)
    if version.post is not None:
        return (*numbers, 1, version.post)
    return (*numbers, 0, 0)


def import_check(op: str, bound: str, version: str) -> bool:
    """An `assert digit_version(...)` of an OpenMMLab package."""
    left, right = openmmlab_key(version), openmmlab_key(bound)
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
        "==": left == right,
        "!=": left != right,
    }[op]


# ---------------------------------------------------------------- hardware


class Arch(NamedTuple):
    """`sm_90a`: 9, 0, `a`."""

    major: int
    minor: int
    suffix: str


@cache
def arch(text: str) -> Arch:
    found = re.fullmatch(r"(?:sm|compute)_(\d+)(\d)([af]?)", text)
    assert found is not None, text
    return Arch(int(found[1]), int(found[2]), found[3])


@cache
def capabilities() -> Mapping[str, Row]:
    return {row["sm"]: row for row in rows("capabilities.json")}


@cache
def toolkits() -> Mapping[str, Row]:
    return {row["cuda"]: row for row in rows("toolkits.json")}


def toolkit_driver(cuda: str, column: str, platform: str) -> str | None:
    """What `driver` or `driver_floor` of a toolkit is on a platform: Windows has numbers of its own."""
    row = toolkits().get(cuda)
    text = row.get(f"{column}_windows" if platform == "win_amd64" else column) if row is not None else None
    return None if text is None else str(text)


def machine_code_runs(built: str, device: str) -> bool:
    """CUDA programming guide: same major, a minor not above the device's; Tegra only its very own."""
    code, gpu = arch(built), arch(device)
    if (code.major, code.minor) == (gpu.major, gpu.minor):
        return True
    tegra = any(row is not None and row["tegra"] for row in (capabilities().get(device),))
    return not tegra and code.suffix != "a" and code.major == gpu.major and code.minor < gpu.minor


def ptx_is_compiled(built: str, device: str) -> bool:
    """PTX serves what is newer; with `a` its own capability alone, with `f` its family."""
    code, gpu = arch(built), arch(device)
    if code.suffix == "a":
        return code[:2] == gpu[:2]
    return code[:2] <= gpu[:2] and (code.suffix != "f" or code.major == gpu.major)


def knows_arch(toolkit: Row | None, text: str) -> bool:
    """Whether an nvcc compiles for a capability; where nobody ran it, by the ends of its range."""
    if toolkit is None:
        return True
    if toolkit["archs"] is not None:
        return text in toolkit["archs"]
    return arch(toolkit["first_sm"])[:2] <= arch(text)[:2] <= arch(toolkit["last_sm"])[:2]


@cache
def can_be_named(device: str, torch: str, cuda: str) -> bool:
    """Whether a build against this torch can be told to make code that runs on a device."""
    gpu = arch(device)
    extension = next((row for row in rows("torch/cpp_extension.json") if row["torch"] == torch), None)
    for minor in range(gpu.minor, -1, -1):
        name = f"sm_{gpu.major}{minor}"
        known = capabilities().get(name)
        if minor != gpu.minor and (known is None or known["tegra"] or not machine_code_runs(name, device)):
            continue
        said = extension is None or f"{gpu.major}.{minor}" in extension["archs"]
        if said and knows_arch(toolkits().get(cuda), name):
            return True
    return False


# ---------------------------------------------------------------- packages


@cache
def modules() -> Mapping[str, Row]:
    """Import name -> row, of what the core decides, torch aside."""
    own = {
        row["module"]: {
            "module": row["module"],
            "packages": row["distributions"],
            "with_ops": row.get("with_ops", row["distributions"]),
            "on_request": row.get("on_request", []),
            "core": True,
        }
        for row in described()
    }
    return {row["module"]: row for row in rows("curated/modules.toml") if row["core"]} | own


@cache
def described() -> tuple[Row, ...]:
    """Compiled packages that have a file of their own."""
    files = sorted(path.name for path in (ROOT / "packages").glob("*.toml"))
    return tuple(row for name in files for row in rows(f"packages/{name}"))


@cache
def wheels(package: str) -> tuple[Row, ...]:
    """Prebuilt wheels: recorded one by one, or as tables of what exists in every combination."""
    return (*({"variant": None, **row} for row in rows(f"binaries/{package}.json")), *_tabled(package))


def _tabled(package: str) -> Iterator[Row]:
    for row in described():
        for table in row.get("wheels", ()):
            if table.get("distribution", row["distributions"][0]) == package and not table.get("provider"):
                for version in table["versions"]:
                    for torch in table.get("torch") or [None]:
                        for variant in table.get("variants") or [None]:
                            for abi in table.get("abi") or [None]:
                                yield _wheel(row["tie"], table, package, version, torch, variant, abi)


def _wheel(
    tie: str, table: Row, package: str, version: str, torch: str | None, variant: str | None, abi: int | None
) -> Row:
    digits = variant[2:] if variant and variant.startswith("cu") else None
    bound = {
        "exact": f"=={torch}",
        "declared": torch,
        "minor": f"=={'.'.join((torch or '').split('.')[:2])}.*",
    }
    return {
        "package": package,
        "version": version,
        "torch": bound.get(tie) if torch else None,
        "variant": variant,
        "same_variant": table.get("same_variant", False),
        "cuda": table.get("cuda") or (f"{digits[:-1]}.{digits[-1]}" if digits else None),
        "cudart": table.get("cudart"),
        "cxx11_abi": abi,
        "archs": table.get("archs"),
        "ptx": table.get("ptx", []),
        "glibc": table.get("glibc"),
        "pythons": table.get("pythons", []),
        "platforms": sorted(table["tags"]),
        "url": table.get("url"),
        "confidence": table["confidence"],
        "yanked": False,
    }


@cache
def recipes() -> tuple[Row, ...]:
    return (*rows("curated/recipes.toml"), *(one for row in described() for one in row.get("recipes", ())))


@cache
def module_of() -> Mapping[str, str]:
    return {package: row["module"] for row in modules().values() for package in row["packages"]}


@cache
def has_releases(package: str) -> bool:
    return (ROOT / f"openmmlab/releases/{package}.json").is_file()


@cache
def releases(package: str) -> Mapping[str, Row]:
    return {row["version"]: row for row in rows(f"openmmlab/releases/{package}.json")}


@cache
def source_versions(package: str) -> tuple[str, ...]:
    """Versions with sources: releases that were not withdrawn, else source archives of the index."""
    if has_releases(package):
        return tuple(text for text, row in releases(package).items() if not row["yanked"])
    found = set()
    for row in rows(f"files/{package}.json"):
        if row["name"].endswith((".tar.gz", ".zip")) and not row["yanked"]:
            try:
                found.add(str(parse_sdist_filename(row["name"])[1]))
            except InvalidSdistFilename:
                continue
    built = {
        one["version"]
        for recipe in recipes()
        if recipe["package"] == package
        for one in recipe.get("verified", ())
    }
    return tuple(found or built)


def declared(release: Row, field: str) -> list[tuple[str, Requirement]]:
    """(distribution, requirement) of a release's `requires` or `mim`."""
    read = (requirement(text) for text in release[field])
    return [(canonicalize_name(one.name), one) for one in read if one is not None]


@cache
def generation(package: str, version: str) -> int | None:
    """0: builds on mmengine, by what it checks or declares; 1: older; None: nobody recorded the release."""
    row = releases(package).get(version)
    if row is None:
        return None
    checks = any(check["module"] == "mmengine" for check in row["asserts"])
    names = {name for field in ("requires", "mim") for name, _ in declared(row, field)}
    return 0 if checks or any(name.endswith("mmengine") for name in names) else 1


@cache
def silently_imported(package: str, version: str) -> tuple[str, ...]:
    """Modules of the core that a release needs without checking their version.

    It imports them and declares nothing, or it declares them for `mim` where other releases check them.
    """
    row = releases(package)[version]
    own = {check["module"] for check in row["asserts"]}
    checked = {check["module"] for other in releases(package).values() for check in other["asserts"]}
    mim = {module_of().get(name) for name, _ in declared(row, "mim")}
    found = {name for name in mim if name in checked} | {n for n in row["undeclared"] if n in modules()}
    from names import taken

    found |= {top for top in taken(package, version) if top in modules()} - {module_of().get(package)}
    return tuple(sorted(name for name in found - own if name))


@cache
def before_checks(package: str) -> frozenset[str]:
    """Releases from before a package began to check what it is imported with."""
    alive = {text: row for text, row in releases(package).items() if not row["yanked"]}
    checking = [ver(text) for text, row in alive.items() if row["asserts"]]
    if not checking:
        return frozenset()
    first = min(checking)
    return frozenset(text for text, row in alive.items() if not row["asserts"] and ver(text) < first)
