"""A request in plain words, and what of it the facts alone decide: the machine it is for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from facts import (
    arch,
    capabilities,
    defaults,
    has_releases,
    machine_code_runs,
    modules,
    ptx_is_compiled,
    releases,
    requirement,
    rows,
    toolkit_driver,
    ver,
    within,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True, kw_only=True)
class Request:
    """As somebody types it."""

    gpus: tuple[str, ...]
    packages: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    stack: str | None = None
    platform: str | None = None
    python: str | None = None
    requires_python: str | None = None
    torch: str | None = None
    cuda: str | None = None
    driver: str | None = None
    glibc: str | None = None
    no_build: bool = False
    allow_lite: bool = False
    allow_torch_ops: bool = False
    pre: bool = False

    def command(self) -> str:
        """The command line that asks the same."""
        words = ["mmlock solve", *(f"--gpu '{gpu}'" for gpu in self.gpus)]
        words += [f"--with '{text}'" for text in self.packages]
        words += [f"--constraint '{text}'" for text in self.constraints]
        single = ("stack", "platform", "python", "requires_python", "torch", "cuda", "driver", "glibc")
        words += [f"--{n.replace('_', '-')} '{v}'" for n in single if (v := getattr(self, n)) is not None]
        flags = ("no_build", "allow_lite", "allow_torch_ops", "pre")
        return " ".join(words + [f"--{n.replace('_', '-')}" for n in flags if getattr(self, n)])

    def asked(self) -> tuple[Requirement, ...]:
        """Requirements, those of a stack first; the default stack where nothing was said."""
        stack = self.stack or (None if self.packages else defaults()["stack"])
        found = [row["requirements"] for row in rows("curated/stacks.toml") if row["name"] == stack]
        texts = [*(found[0] if found else ()), *self.packages]
        return tuple(one for text in texts if (one := requirement(text)) is not None)


class Device(NamedTuple):
    """What a name means. `arch` is None where GPU code is no notion."""

    name: str
    kind: str
    arch: str | None


@dataclass(frozen=True)
class Machine:
    """What the environment must run on."""

    devices: tuple[Device, ...]
    platform: str
    glibc: str | None
    driver: str | None
    plugins: tuple[str, ...]

    @property
    def kind(self) -> str:
        return self.devices[0].kind


class Unusable(Exception):
    """No environment can be for this: the words contradict each other, or nothing public serves a device."""


@cache
def _names() -> dict[str, Device]:
    found: dict[str, Device] = {}
    for row in rows("gpus.json"):
        for name in (row["name"], *row["aliases"]):
            found[name.lower()] = Device(row["name"], "cuda", row["sm"])
    for row in rows("curated/accelerators.toml"):
        for name in (row["name"], *row["aliases"]):
            found[name.lower()] = Device(row["name"], row["kind"], row.get("arch"))
    for sm in capabilities():
        found[sm] = Device(sm, "cuda", sm)
    return found


@cache
def device_named(text: str) -> Device:
    """What a name means: itself, or the chip that a rule makes of it where that is known. Raises KeyError."""
    known = _names()
    whole = " ".join(text.split())
    if whole.lower() in known:
        return known[whole.lower()]
    name = re.sub(r"^NVIDIA[ -]+", "", whole.upper())
    for rule in sorted(rows("curated/device_names.toml"), key=lambda row: row["id"]):
        matched = re.fullmatch(rule["pattern"], name)
        chip = matched.expand(rule["chip"]).strip().lower() if matched else ""
        for spelled in (chip, f"geforce {chip}", f"tesla {chip}"):
            if spelled in known:
                return known[spelled]
    raise KeyError(text)


def _contradictions(request: Request) -> Iterator[str]:
    """What of a request cannot be meant together, whatever the facts are."""
    variant = request.torch.partition("+")[2] if request.torch else ""
    if "cpu" in request.gpus and (request.cuda or request.driver):
        yield "a CPU has no CUDA and no driver"
    if "cpu" in request.gpus and variant.startswith("rocm"):
        yield "a CPU has no ROCm"
    cuda = f"cu{request.cuda.replace('.', '')}" if request.cuda else variant
    if variant and not variant.startswith("rocm") and variant != cuda:
        yield f"{variant} is not CUDA {request.cuda}"
    if request.glibc and request.platform and not request.platform.startswith("linux"):
        yield "glibc is Linux's"


def machine(request: Request) -> Machine:
    """Raises Unusable."""
    for text in _contradictions(request):
        raise Unusable(text)
    devices = tuple(dict.fromkeys(device_named(gpu) for gpu in request.gpus))
    if len({device.kind for device in devices}) > 1:
        raise Unusable("one torch cannot serve two kinds of devices")
    accelerators = [
        row
        for row in rows("curated/accelerators.toml")
        if any(device.name == row["name"] and device.kind != "cuda" for device in devices)
    ]
    for row in accelerators:
        if row["answer"] != "lock":
            raise Unusable(f"nothing public serves {row['name']}")
    plugins = [row["plugin"] for row in accelerators if "plugin" in row]
    implied = {row["platform"] for row in accelerators if "platform" in row} | _boards(request, devices)
    if request.platform is not None and implied - {request.platform}:
        raise Unusable(f"the device sits in {implied} machines")
    cards = any(not _boards(request, (device,)) for device in devices if device.kind == "cuda")
    if request.platform is None and len(implied | ({"linux_x86_64"} if cards else set())) > 1:
        raise Unusable("the devices sit in machines of several platforms")
    platform = request.platform or next(iter(implied), None) or defaults()["platform"]
    _driver_knows(request, devices, platform)
    named = {canonicalize_name(one.name) for one in request.asked()}
    return Machine(
        devices=devices,
        platform=platform,
        glibc=(request.glibc or defaults()["glibc"]) if platform.startswith("linux") else None,
        driver=request.driver,
        plugins=tuple(plugin for plugin in plugins if plugin not in named),
    )


def _driver_knows(request: Request, devices: tuple[Device, ...], platform: str) -> None:
    """Raises Unusable for a driver of a branch before that of the first CUDA that knows a device."""
    for device in devices if request.driver is not None else ():
        row = capabilities().get(device.arch or "") if device.kind == "cuda" else None
        needed = toolkit_driver(row["first_cuda"], "driver", platform) if row and not row["tegra"] else None
        if needed is not None and ver(request.driver or "0").major < ver(needed).major:
            raise Unusable(f"{device.name} needs driver {needed}")


def _boards(request: Request, devices: tuple[Device, ...]) -> set[str]:
    """Platforms that NVIDIA parts sit in: by their capability, or by a name that is a board's."""
    found = set()
    for device in devices:
        known = capabilities().get(device.arch or "")
        if device.kind == "cuda" and known is not None and known["machine"] == "aarch64":
            found.add("linux_aarch64")
        words = (device.name, *(gpu for gpu in request.gpus if device_named(gpu) == device))
        for row in rows("curated/boards.toml"):
            if any(row["name"] in re.sub(r"[^A-Z0-9]", "", word.upper()) for word in words):
                found.add(row["platform"])
    return found


def code_runs(here: Machine, archs: list[str] | None, ptx: list[str] | None, cuda: str | None) -> bool | None:
    """Whether GPU code serves every device; None where nobody has read which code there is."""
    wanted = [device for device in here.devices if device.arch is not None]
    if not wanted:
        return True
    if archs is None:
        return None
    return all(_serves(here, device, archs, ptx or [], cuda) for device in wanted)


def _serves(here: Machine, device: Device, archs: list[str], ptx: list[str], cuda: str | None) -> bool:
    assert device.arch is not None
    if device.kind != "cuda":
        return device.arch in archs
    if any(machine_code_runs(one, device.arch) for one in archs):
        return True
    return any(ptx_is_compiled(one, device.arch) for one in ptx) and _driver_compiles(here, cuda)


def _driver_compiles(here: Machine, cuda: str | None) -> bool:
    """A driver compiles the PTX of toolkits up to its own; one that nobody told is taken to."""
    if here.driver is None or cuda is None:
        return True
    needed = toolkit_driver(cuda, "driver", here.platform)
    return needed is not None and ver(here.driver) >= ver(needed)


def driver_runs(here: Machine, cuda: str | None) -> bool:
    """Whether the driver that was told is one that runs this CUDA."""
    if here.driver is None or cuda is None or here.kind != "cuda":
        return True
    needed = toolkit_driver(cuda, "driver_floor", here.platform)
    return needed is not None and ver(here.driver) >= ver(needed)


def seen_to_run(here: Machine, archs: list[str] | None, cuda: str | None) -> bool:
    """Whether all devices are Tegra parts on which somebody ran code of such archs, built with this CUDA."""
    if archs is None or cuda is None:
        return False
    seen = {
        row["sm"] for row in rows("curated/tegra.toml") if row["runs"] in archs and within(row["cuda"], cuda)
    }
    return all(device.kind == "cuda" and device.arch in seen for device in here.devices)


def cudnn_runs(here: Machine, cudnn: str | None, cuda: str | None) -> bool:
    """Whether no device is one that this cuDNN has no kernels for; what nobody has read drops none.

    A release serves the capabilities from its lowest to its highest. Machine code of the highest one runs
    on later minors of the same major, too.
    """
    archs = [arch(device.arch) for device in here.devices if device.kind == "cuda" and device.arch]
    if cudnn is None or cuda is None:
        return True
    for row in rows("curated/cudnn.toml"):
        if row["cuda"] == cuda.split(".")[0] and within(row["versions"], cudnn):
            lowest, highest = arch(row["lowest"]), arch(row["highest"])
            if any(one[:2] < lowest[:2] or one.major > highest.major for one in archs):
                return False
    return True


def glibc_runs(here: Machine, needed: str | None) -> bool:
    return here.glibc is None or needed is None or ver(needed) <= ver(here.glibc)


def other_providers(named: set[str]) -> frozenset[str]:
    """Providers that are taken only when named, or when one that was named requires them."""
    others = {package for row in modules().values() for package in row.get("on_request", ())}
    found: set[str] = set()
    queue = sorted(named & others)
    while queue:
        package = queue.pop()
        found.add(package)
        texts = [
            text
            for row in (releases(package).values() if has_releases(package) else ())
            if not row["yanked"]
            for field in ("requires", "mim")
            for text in row[field]
        ]
        needed = {canonicalize_name(one.name) for text in texts if (one := requirement(text)) is not None}
        queue += sorted((needed & others) - found)
    return frozenset(found)
