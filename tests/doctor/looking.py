"""Looking at environments made for tests."""

from __future__ import annotations

from made_environments import World

from mmlock.core.device import Device
from mmlock.core.progress import silent
from mmlock.doctor.checks import examine
from mmlock.doctor.environment.model import Environment, Trouble, TroubleSeverity
from mmlock.doctor.environment.read import read_environment
from mmlock.facts.devices.find import find_device

from .conftest import matrix


def read(world: World, *gpus: str) -> Environment:
    devices = tuple(found for gpu in gpus if isinstance(found := find_device(matrix(), gpu), Device))
    assert len(devices) == len(gpus)
    return read_environment(world.prefix / "bin" / "python", matrix(), devices, silent)


def troubles(world: World, *gpus: str) -> list[Trouble]:
    return list(examine(read(world, *gpus), matrix())[0])


def told(world: World, *gpus: str, severity: TroubleSeverity = TroubleSeverity.FAILS) -> list[str]:
    return [one.title for one in troubles(world, *gpus) if one.severity is severity]


def evidence(world: World, check: str) -> str:
    (found,) = [one for one in troubles(world) if one.check == check]
    return "\n".join(found.evidence)
