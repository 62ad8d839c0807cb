"""`mmlock inspect`: what compiled files need, and whether they load beside a torch and run on a card."""

from __future__ import annotations

import os
from pathlib import Path

from mmlock.binary.environment import find_site_packages, read_environment
from mmlock.binary.inspect import Effort, Uninspected, inspect_folder
from mmlock.binary.model import Inspected
from mmlock.binary.names import is_torch
from mmlock.core.arguments import SolveArguments
from mmlock.core.device import Device
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.inspect_arguments import InspectArguments
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.facts.locate import LocatedWheel, locate
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.facts.symbol_tables import SymbolTables
from mmlock.files.private import open_cache
from mmlock.net.fetching import Fetcher
from mmlock.report.inspected import environment_page, exporting_page, inspected_page, torch_page
from mmlock.resolve.request.devices import find_devices


def inspect(arguments: InspectArguments, *, progress: Progress = silent) -> Page:
    """The report. Raises UsageError, EnvironmentFault, MatrixError or NoAnswer."""
    from mmlock.facts.release_names import ReleaseNames
    from mmlock.net.http import Client
    from mmlock.net.page_cache import PageCache
    from mmlock.report.missing_names import names_page

    if not arguments.thing.strip():
        raise UsageError(
            "there is nothing to inspect", hints=["name a wheel, a folder or `PACKAGE==VERSION`"]
        )
    matrix = open_matrix(arguments.matrices)
    devices = _devices(matrix, arguments)
    cache = open_cache(os.environ)
    with Client(cache=PageCache(folder=cache / "pages"), offline=arguments.offline) as client:
        tables = SymbolTables(
            matrix=matrix, cache=cache, client=client, offline=arguments.offline, progress=progress
        )
        thing = arguments.thing
        if arguments.beside:
            return names_page(arguments, ReleaseNames(matrix, client, progress))
        if is_torch(thing) and not Path(thing).exists():
            return exporting_page(tables, thing)
        if site := _environment(thing):
            return environment_page(read_environment(site, progress=progress), arguments, tables, devices)
        if Path(thing).is_dir():
            return inspected_page(
                _or_fault(inspect_folder(Path(thing), progress=progress)), arguments, tables, devices
            )
        place = locate(matrix, client, thing, arguments.python)
        if place.package == "torch":
            return torch_page(tables, place)
        return inspected_page(_read(place, arguments, client, cache, progress), arguments, tables, devices)


# ---------------------------------------------------------------- reading


def _read(
    place: LocatedWheel, arguments: InspectArguments, client: Fetcher, cache: Path, progress: Progress
) -> Inspected:
    from mmlock.binary.cache import inspect_cached

    effort = Effort(whole=arguments.whole, budget=2_000_000_000 if arguments.whole else Effort().budget)
    return _or_fault(
        inspect_cached(place.where, place.sha256, cache, client=client, effort=effort, progress=progress)
    )


def _or_fault(found: Inspected | Uninspected) -> Inspected:
    if isinstance(found, Inspected):
        return found
    raise EnvironmentFault(
        f"`{found.place}` cannot be inspected",
        causes=[found.why],
        hints=["name a wheel, its URL, a folder, an environment, or a package with its version"],
    )


def _environment(thing: str) -> Path | None:
    path = Path(thing)
    return find_site_packages(path) if path.is_dir() else None


def _devices(matrix: Matrix, arguments: InspectArguments) -> tuple[Device, ...]:
    if not arguments.gpus:
        return ()
    return find_devices(matrix, SolveArguments(gpus=arguments.gpus)).devices
