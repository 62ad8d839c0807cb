"""Patterns in the sources of a release that are known to matter later, counted. Nothing is run."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mmlock.facts.scrape.archives import ArchiveTree

__all__ = ["probe"]

_IN_SETUP: Mapping[str, re.Pattern[str]] = {
    "setup_locals_version": re.compile(r"locals\(\)\s*\[\s*['\"]__version__"),
    "setup_imports_pkg_resources": re.compile(r"^[ \t]*(?:import|from)\s+pkg_resources", re.MULTILINE),
    "setup_imports_torch": re.compile(r"^(?:import|from)\s+torch\b", re.MULTILINE),
    # Anywhere: without the probe above only where a `try` or a function guards it.
    "setup_imports_torch_guarded": re.compile(r"^[ \t]*(?:import|from)\s+torch\b", re.MULTILINE),
}
"""In setup.py: told as 1."""

_IN_PACKAGE: Mapping[str, re.Pattern[str]] = {
    "adafactor_double_register": re.compile(r"register_module\(name=['\"]Adafactor['\"]"),
    "collections_abc_removed": re.compile(
        r"from collections import [^\n]{0,400}\b(?:Sequence|Iterable|Mapping|MutableMapping|Callable)\b"
    ),
    "distutils_in_package": re.compile(r"^[ \t]*(?:import|from)\s+distutils\b", re.MULTILINE),
    "numpy_ge_1_24_removed_alias": re.compile(r"\bnp\.(?:int|float|bool|object|str|complex|long)\b(?!\s*\()"),
    "numpy_ge_1_24_removed_alias_call": re.compile(r"\bnp\.(?:int|float|bool|object|str|complex|long)\s*\("),
    "numpy_ge_2_removed_name": re.compile(r"\bnp\.(?:float_|complex_|Inf|Infinity|NaN|product|in1d|trapz)\b"),
    "pkg_resources_in_package": re.compile(r"^[ \t]*(?:import|from)\s+pkg_resources", re.MULTILINE),
    "torch_adafactor_renamed": re.compile(r"\bTorchAdafactor\b"),
    # Up to the end of the call, one pair of brackets inside it.
    "torch_load_without_weights_only": re.compile(r"\btorch\.load\((?!(?:[^()]|\([^()]*\))*weights_only)"),
    "yapf_version_guard": re.compile(r"\byapf\.__version__"),
    "yapf_verify_kwarg": re.compile(r"FormatCode\([^)]{0,400}verify\s*="),
}
"""In the package: the number of files."""

_STANDARD = re.compile(r"['\"][-/]std[=:]c\+\+(\d\d)['\"]")


def probe(tree: ArchiveTree, module: str) -> dict[str, int]:
    """The patterns a release shows, by name; absent ones are left out."""
    setup = tree.text("setup.py") or ""
    found = {name: 1 for name, pattern in _IN_SETUP.items() if pattern.search(setup)}
    # A C++ standard that is written down is a bound: newer torch headers refuse an older one.
    found |= {f"setup_std_{number}": 1 for number in _STANDARD.findall(setup)}
    for path in tree.texts:
        # `.mim` holds copies of tools and configs: no part of what is imported.
        if path.startswith(f"{module}/") and path.endswith(".py") and "/.mim/" not in path:
            text = tree.text(path) or ""
            for name, pattern in _IN_PACKAGE.items():
                if pattern.search(text):
                    found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))
