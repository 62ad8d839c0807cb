"""What compiled files need, and whether they load beside a torch and run on a card: text and data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from mmlock.binary import text
from mmlock.binary.demangle import demangle
from mmlock.binary.environment import TorchEnvironment
from mmlock.binary.gpu_verdict import gpu_finding
from mmlock.binary.model import Compatibility, Inspected
from mmlock.binary.tables import TorchSymbols
from mmlock.binary.verdict import verdict
from mmlock.core.device import Device
from mmlock.core.errors import NoAnswer
from mmlock.core.inspect_arguments import InspectArguments
from mmlock.core.report import Page
from mmlock.facts.locate import LocatedWheel
from mmlock.facts.symbol_tables import SymbolTables

__all__ = ["environment_page", "exporting_page", "inspected_page", "torch_page"]


def inspected_page(
    found: Inspected, arguments: InspectArguments, tables: SymbolTables, devices: Sequence[Device]
) -> Page:
    """One wheel or folder, beside the torches and on the devices that the request names."""
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


def environment_page(
    env: TorchEnvironment, arguments: InspectArguments, tables: SymbolTables, devices: Sequence[Device]
) -> Page:
    """Every package of an environment that needs torch, beside the torch that is there. Raises NoAnswer."""
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


def torch_page(tables: SymbolTables, place: LocatedWheel) -> Page:
    """A torch wheel: what it is and how many names it exports."""
    table = tables.of_wheel(place)
    lines = text.torch_lines(table.facts, len(table.names))
    return Page(text="\n".join(lines), data={**_plain(table.facts), "names": len(table.names)})


def exporting_page(tables: SymbolTables, name: str) -> Page:
    """The torch builds that export a symbol."""
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
