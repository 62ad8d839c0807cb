"""Facts on GPUs, compute capabilities and CUDA toolkits -> rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from facts_words import Facts, as_list

from mmlock.core.names import Confidence
from mmlock.core.versions import version
from mmlock.facts.matrix.model import Capability, CppExtension, Gpu, Toolkit

__all__ = ["capabilities", "cpp_extensions", "gpus", "toolkits"]


def gpus(facts: Facts) -> list[Gpu]:
    """NVIDIA parts; one that is on no NVIDIA table is inferred from the die it shares."""
    return [
        Gpu(
            name=row["name"],
            aliases=tuple(row["aliases"]),
            sm=row["sm"],
            family=row["family"],
            segment=row["segment"],
            source=tuple(row["source"]),
            confidence=Confidence.DOCUMENTED if row["source"] != ["common"] else Confidence.INFERRED,
            note=row.get("note"),
        )
        for row in facts["nvidia"]
    ]


def capabilities(facts: Facts, cuda: Facts) -> list[Capability]:
    """Compute capabilities. Those that a ptxas we ran lists are measured, older ones documented."""
    oldest_run = min(version(row["cuda"]) for row in cuda["toolkits"] if row["archs"])
    rows = []
    for row in facts["compute_capability"]:
        first, extra = re.fullmatch(r"([\d.]+)(?: \((.+)\))?", row["first_cuda"]).groups()  # type: ignore[union-attr]
        ran = version(first) > oldest_run
        rows.append(
            Capability(
                sm="sm_" + row["cc"].replace(".", ""),
                family=row["family"],
                machine=row["machine"],
                first_cuda=first,
                last_cuda=row["last_cuda"],
                # The table names the Tegra part of a family in brackets: `Ampere (Orin)`.
                tegra="(" in row["family"],
                source=tuple(dict.fromkeys(key for key in row["source"] if key in facts["sources"])),
                confidence=Confidence.MEASURED if ran else Confidence.DOCUMENTED,
                note="; ".join(filter(None, (extra, row["note"]))) or None,
            )
        )
    return rows


def toolkits(facts: Facts) -> list[Toolkit]:
    """CUDA toolkits."""
    return [
        Toolkit(
            cuda=row["cuda"],
            first_sm=row["first_sm"],
            last_sm=row["last_sm"],
            archs=tuple(row["archs"]) if row["archs"] is not None else None,
            ptx_isa=row["ptx_isa"],
            gcc_max=row["gcc_max"],
            clang_max_excl=row["clang_max_excl"],
            driver=row["driver_linux"],
            driver_floor=row["driver_minor_compat_floor"],
            source=tuple(row["source"]),
            confidence=Confidence.MEASURED if "ptxas" in row["source"] else Confidence.DOCUMENTED,
            note=row["note"],
        )
        for row in facts["toolkits"]
    ]


def cpp_extensions(facts: Facts, builds: Facts) -> list[CppExtension]:
    """What cpp_extension of each torch release does, every `same as` resolved."""
    table = {row["torch"]: row for row in facts["cpp_extension"]}
    headers = {
        row["torch"]: int(row["header_guard_min"].lower().removeprefix("c++")) for row in builds["cpp"]
    }
    rows = []
    for release, row in table.items():
        bounds = resolve(table, row, "gcc_bounds_min_maxexcl") or {}
        rows.append(
            CppExtension(
                torch=release,
                default_std=int(row["default_std"].removeprefix("c++")),
                header_std=headers.get(release),
                archs=tuple(as_list(resolve(table, row, "supported_arches"))),
                cuda_mismatch_check=row["cuda_mismatch_check"],
                gcc_bounds={cuda: (low, high) for cuda, (low, high) in bounds.items()},
                source=tuple(row["source"]),
                confidence=Confidence.MEASURED,
            )
        )
    return rows


def resolve(table: Mapping[str, Facts], row: Facts, field: str) -> Any:
    """A field's value, following `same as 1.7.0`."""
    value = row[field]
    while isinstance(value, str) and value.startswith("same as "):
        value = table[value.removeprefix("same as ")][field]
    return value
