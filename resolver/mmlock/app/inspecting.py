"""`mmlock inspect`: what compiled files need, and whether they load beside a torch and run on a card."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from mmlock.binary import text
from mmlock.binary.demangle import demangle
from mmlock.binary.environment import TorchEnvironment, find_site_packages, read_environment
from mmlock.binary.gpu_verdict import gpu_finding
from mmlock.binary.inspect import Effort, Uninspected, inspect_folder
from mmlock.binary.model import Compatibility, Inspected
from mmlock.binary.names import is_torch
from mmlock.binary.tables import TorchSymbols
from mmlock.binary.verdict import verdict
from mmlock.core.arguments import SolveArguments
from mmlock.core.device import Device
from mmlock.core.errors import EnvironmentFault, NoAnswer, UsageError
from mmlock.core.inspect_arguments import InspectArguments
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.facts.locate import LocatedWheel, locate
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.facts.symbol_tables import SymbolTables
from mmlock.files.private import open_cache
from mmlock.net.fetching import Fetcher
from mmlock.resolve.request.devices import find_devices


def inspect(arguments: InspectArguments, *, progress: Progress = silent) -> Page:
    """The report. Raises UsageError, EnvironmentFault, MatrixError or NoAnswer."""
    from mmlock.app.inspecting_names import names_page
    from mmlock.facts.release_names import ReleaseNames
    from mmlock.net.http import Client
    from mmlock.net.page_cache import PageCache

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
            return _exporting(tables, thing)
        if site := _environment(thing):
            return _environment_page(read_environment(site, progress=progress), arguments, tables, devices)
        if Path(thing).is_dir():
            return _page(
                _or_fault(inspect_folder(Path(thing), progress=progress)), arguments, tables, devices
            )
        place = locate(matrix, client, thing, arguments.python)
        if place.package == "torch":
            return _torch_page(tables, place)
        return _page(_read(place, arguments, client, cache, progress), arguments, tables, devices)


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


# ---------------------------------------------------------------- pages


def _page(
    found: Inspected, arguments: InspectArguments, tables: SymbolTables, devices: Sequence[Device]
) -> Page:
    torches = tables.chosen(arguments.torch, found)
    verdicts = [_verdict(found, torch, devices, tables, arguments.python) for torch in torches]
    lines = [*text.inspected_lines(found)]
    for one in verdicts:
        lines += ["", *text.verdict_lines(one)]
    gpus = [] if verdicts else [gpu_finding(found, device, tables.drivers) for device in devices]
    lines += [line for one in gpus for line in text.gpu_lines(one)]
    if not verdicts and any(one.torch_needs for one in found.extensions):
        lines += ["", "whether it loads depends on torch: pass one with `--torch 2.9.1`"]
    data = {**_plain(found), "verdicts": _rows(verdicts), "gpus": [_plain(one) for one in gpus]}
    return Page(text="\n".join(lines), data=data)


def _environment_page(
    env: TorchEnvironment, arguments: InspectArguments, tables: SymbolTables, devices: Sequence[Device]
) -> Page:
    if env.torch is None and not arguments.torch:
        raise NoAnswer(
            f"`{env.place}` has no torch",
            causes=[f"{len(env.packages)} of its packages have files that need torch"],
            hints=["pass one to compare with: `--torch 2.9.1`"],
        )
    torches = tables.chosen(arguments.torch, None) if arguments.torch else (env.torch,)
    python = arguments.python or env.python
    lines = [f"{env.place}: {len(env.packages)} packages with files that need torch"]
    rows = []
    for package in env.packages:
        verdicts = [_verdict(package, torch, devices, tables, python) for torch in torches if torch]
        lines += ["", *text.inspected_lines(package)]
        for one in verdicts:
            lines += text.verdict_lines(one)
        rows.append({**_plain(package), "verdicts": _rows(verdicts)})
    lines += [f"{fault.place}: {fault.why}" for fault in env.faults]
    torch = env.torch.facts if env.torch else None
    return Page(
        text="\n".join(lines),
        data={"place": str(env.place), "python": env.python, "torch": _plain(torch), "packages": rows},
    )


def _torch_page(tables: SymbolTables, place: LocatedWheel) -> Page:
    table = tables.of_wheel(place)
    lines = text.torch_lines(table.facts, len(table.names))
    return Page(text="\n".join(lines), data={**_plain(table.facts), "names": len(table.names)})


def _exporting(tables: SymbolTables, name: str) -> Page:
    builds = tables.store.exporting(name)
    known = tables.store.builds()
    lines = text.exporting_lines(name, builds, len(known))
    return Page(
        text="\n".join(lines),
        data={
            "name": name,
            "demangled": demangle(name),
            "exported_by": [str(build) for build in builds],
            "read": [str(build) for build in known],
        },
    )


def _verdict(
    found: Inspected, torch: TorchSymbols, devices: Sequence[Device], tables: SymbolTables, python: str | None
) -> Compatibility:
    return verdict(found, torch, devices, drivers=tables.drivers, python=python)


def _rows(verdicts: Iterable[Compatibility]) -> list[dict[str, object]]:
    return [
        {**_plain(one), "loads": one.loads.value, "refused": one.refused, "demangled": _demangled(one)}
        for one in verdicts
    ]


def _demangled(one: Compatibility) -> dict[str, str]:
    return {name: demangle(name) for name in one.symbols.names}


def _plain(value: object) -> dict[str, object]:
    return {} if value is None else dict(msgspec.to_builtins(value))
