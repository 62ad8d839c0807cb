"""What a refresh must read: which folder, which indexes and packages, and where the indexes are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import UsageError
from mmlock.core.names import PackageName, normalize
from mmlock.core.refreshing import RefreshArguments
from mmlock.facts.matrix.load import ENVIRONMENT_VARIABLE, Matrix, find_root
from mmlock.facts.refresh.indexes import INDEXES, Overlay
from mmlock.facts.refresh.settings import choose
from mmlock.facts.scrape.openmmlab import is_directory

__all__ = ["WantedIndexes", "index_places", "inspected_packages", "refreshed_root", "wanted_indexes"]


class WantedIndexes(Struct, frozen=True, kw_only=True):
    """What `--only` leaves."""

    indexes: tuple[str, ...]
    packages: frozenset[str]


def refreshed_root(arguments: RefreshArguments, environ: Mapping[str, str]) -> Path:
    """The folder to rewrite: never the one inside an installed package, which an upgrade would undo."""
    here = Path("matrices")
    named = arguments.matrices is not None or environ.get(ENVIRONMENT_VARIABLE)
    root = find_root(arguments.matrices if named or not (here / "gpus.json").is_file() else here, environ)
    if root.name == "_matrices":
        raise UsageError(
            "there is no matrix folder to refresh",
            causes=[f"the facts in use, `{root}`, are part of the installed package"],
            hints=["name a folder with `--matrices`, for example a copy of that one"],
        )
    return root


def wanted_indexes(arguments: RefreshArguments, facts: Overlay) -> WantedIndexes:
    """Indexes by name; any other name is a package of PyPI."""
    if not arguments.only:
        return WantedIndexes(indexes=tuple(INDEXES), packages=frozenset())
    known: set[PackageName] = {
        *facts.packages("files"),
        *facts.packages("releases"),
        *facts.packages("binaries"),
        *Matrix(facts.root).described,
    }
    known -= {"openmmlab-index", "pytorch-index"}  # files of several packages; PyPI has no such page
    packages = {normalize(name) for name in arguments.only if name not in INDEXES}
    if strangers := sorted(packages - known):
        raise UsageError(
            f"`--only`: `{strangers[0]}` is neither an index nor a package",
            hints=[
                f"the indexes are {', '.join(f'`{name}`' for name in INDEXES)}; packages are named as on PyPI"
            ],
        )
    indexes = [name for name in INDEXES if name in arguments.only or (name == "pypi" and packages)]
    whole = "pypi" in arguments.only
    return WantedIndexes(indexes=tuple(indexes), packages=frozenset() if whole else frozenset(packages))


def inspected_packages(arguments: RefreshArguments, facts: Overlay) -> frozenset[str]:
    """The packages of `--inspect`, as the matrix spells them."""
    named = frozenset(normalize(name) for name in arguments.inspect)
    if strangers := sorted(named - {"torch", *facts.packages("binaries")}):
        raise UsageError(
            f"`--inspect`: there are no facts about wheels of `{strangers[0]}`",
            hints=[f"expected one of torch, {', '.join(facts.packages('binaries'))}"],
        )
    return named


def index_places(arguments: RefreshArguments, environ: Mapping[str, str]) -> dict[str, str]:
    """Where each index is read: its own place, or the one named with `--at`. Raises UsageError."""
    if strangers := [name for name in arguments.places if name not in INDEXES]:
        raise UsageError(
            f"`--at`: `{strangers[0]}` is not an index",
            hints=[f"the indexes are {', '.join(f'`{name}`' for name in INDEXES)}"],
        )
    if strange := [text for text in arguments.hashes if "://" not in text and not is_directory(text)]:
        raise UsageError(
            f"`--hashes {strange[0]}` is neither a directory of OpenMMLab's index nor a URL",
            hints=["for example `--hashes cu118/torch2.1.0`"],
        )
    places = {name: index.place for name, index in INDEXES.items()}
    places["pypi"] = choose(arguments.index_url, environ).url
    return {**places, **arguments.places}
