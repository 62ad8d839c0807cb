"""Device names as people and drivers write them, matched to one device or to the nearest names.

`RTX 5090`, `rtx5090`, `5090`, `NVIDIA GeForce RTX 5090`, `A100-SXM4-80GB`, `sm_90`, `9.0`, `mi300x`,
`gfx942`, `t20`, `m3`, `cpu`. Words are dropped in stages, and a stage that would make two different
GPUs alike is not an answer: `RTX 6000` alone is a Turing or an Ada card.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Struct

from mmlock.core.device import Device, format_cc, parse_sm
from mmlock.core.names import DeviceKind, StrEnum
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Accelerator, Gpu

__all__ = ["DeviceProblem", "NoDevice", "accelerator_of", "find_device", "gpu_of", "named_devices"]


class DeviceProblem(StrEnum):
    """Why a name leads to no device."""

    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"  # it fits devices of different capabilities
    NO_CAPABILITY = "no-capability"  # it looks like a compute capability, and none has that number


_WHY = {
    DeviceProblem.UNKNOWN: "is not a device mmlock knows",
    DeviceProblem.AMBIGUOUS: "names more than one device",
    DeviceProblem.NO_CAPABILITY: "is not a compute capability mmlock knows",
}


class NoDevice(Struct, frozen=True, kw_only=True):
    """A name that is no device, or not one alone."""

    text: str
    problem: DeviceProblem
    nearest: tuple[str, ...]
    """Canonical names, best first; may be empty."""

    @property
    def why(self) -> str:
        """A clause that can follow the name."""
        return _WHY[self.problem]


# Words that tell nothing apart, then brands, which tell a few cards apart (Quadro RTX 6000, RTX 6000 Ada).
_NOISE = frozenset(
    re.findall(
        r"\w+",
        """
        nvidia amd intel apple huawei corporation gpu gpus graphics card device nvgpu laptop mobile notebook
        edition generation sxm sxm2 sxm3 sxm4 sxm5 sxm6 pcie pci oam hbm2 hbm2e hbm3 hbm3e mig max q maxq with
        design founders
        """,
    )
)
_BRANDS = frozenset({"geforce", "tesla", "quadro", "radeon", "instinct", "cloudblazer"})
_MEMORY = re.compile(r"\d+g(i?b)?")
_SERIES = frozenset({"rtx", "gtx", "gt", "rx"})
_GLUED_SERIES = re.compile(r"^(rtx|gtx|gt|rx)(\d.*)$")
_GLUED_SUFFIX = re.compile(r"^(\d{3,4})(ti|super|tisuper|d|xtx|xt|gre)$")
_CAPABILITY = re.compile(r"^(?:(?:sm|compute|cc)[ _-]?(\d{1,2})\.?(\d)|(\d{1,2})\.(\d))[af]?$")
_STAGES = 4
_NEAREST = 5


def find_device(matrix: Matrix, text: str) -> Device | NoDevice:
    """The device a text names, or what it may have meant."""
    text = text.strip()
    if found := _CAPABILITY.match(text.lower()):
        major, minor = found[1] or found[3], found[2] or found[4]
        return _bare_capability(matrix, text, f"sm_{major}{minor}")
    named = _named(matrix, text)
    if isinstance(named, Device):
        return named
    chips = (_named(matrix, chip) for chip in _chips(matrix, text))
    return next((chip for chip in chips if isinstance(chip, Device)), named)


_LONGEST_NAME = 100
"""Characters; the rules are patterns that people wrote, and no board has a longer name."""
_MAKER = re.compile(r"^NVIDIA[ -]+")


def _chips(matrix: Matrix, text: str) -> Iterator[str]:
    """What the rules for virtual and mobile GPUs make of a name, in their order."""
    name = _MAKER.sub("", " ".join(text.upper().split()))
    if len(name) > _LONGEST_NAME:
        return
    for rule in matrix.name_rules:
        if matched := _pattern(rule.pattern).fullmatch(name):
            yield matched.expand(rule.chip)


@lru_cache(maxsize=64)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _named(matrix: Matrix, text: str) -> Device | NoDevice:
    """The device that has this name in some spelling."""
    entries = _entries(matrix)
    words = _words(text)
    for stage in range(_STAGES):
        wanted = _reduced(words, stage)
        hits = [entry for entry in entries if wanted and _key(entry.words, stage) == "".join(wanted)]
        if not hits:
            continue
        rivals = [*hits, *(_longer(entries, wanted, stage) if stage > 1 else ())]
        if len({entry.device.arch for entry in rivals}) > 1:
            return NoDevice(text=text, problem=DeviceProblem.AMBIGUOUS, nearest=_unique(rivals))
        return hits[0].device
    return NoDevice(text=text, problem=DeviceProblem.UNKNOWN, nearest=_nearest(entries, words))


def accelerator_of(matrix: Matrix, device: Device) -> Accelerator | None:
    """What is known of a device that is not an NVIDIA GPU; None for one that is."""
    if device.kind is DeviceKind.CUDA:
        return None
    return next((row for row in matrix.accelerators if row.name == device.name), None)


def gpu_of(matrix: Matrix, device: Device) -> Gpu | None:
    """The row of an NVIDIA part; None for other devices and for bare capabilities."""
    if device.kind is not DeviceKind.CUDA:
        return None
    return next((row for row in matrix.gpus if row.name == device.name), None)


def named_devices(matrix: Matrix) -> tuple[Device, ...]:
    """Every device that has a name, NVIDIA's first, each once."""
    return tuple({entry.device.name: entry.device for entry in _entries(matrix)}.values())


class _Entry(Struct, frozen=True, kw_only=True):
    """One spelling of a device."""

    words: tuple[str, ...]
    device: Device


@lru_cache(maxsize=4)
def _entries(matrix: Matrix) -> tuple[_Entry, ...]:
    return tuple(_spelled(matrix))


def _spelled(matrix: Matrix) -> Iterator[_Entry]:
    tegra = {row.sm for row in matrix.capabilities if row.tegra}
    for gpu in matrix.gpus:
        device = Device(kind=DeviceKind.CUDA, name=gpu.name, arch=gpu.sm, tegra=gpu.sm in tegra)
        for name in (gpu.name, *gpu.aliases, *_before_bracket(gpu.name)):
            yield _Entry(words=_words(name), device=device)
    for row in matrix.accelerators:
        device = Device(kind=row.kind, name=row.name, arch=row.arch)
        for name in (row.name, *row.aliases):
            yield _Entry(words=_words(name), device=device)


def _before_bracket(name: str) -> tuple[str, ...]:
    """`GB10 (DGX Spark)` -> GB10, the chip; not `TITAN X (Pascal)`, where it tells two cards apart."""
    chip, bracket, _ = name.partition(" (")
    return (chip,) if bracket and " " not in chip else ()


def _words(text: str) -> tuple[str, ...]:
    """Lower-case words, with series and suffix split off: `RTX5070Ti` -> rtx, 5070, ti."""
    lowered = text.lower()
    if lowered.startswith("gfx"):  # rocminfo adds features: gfx90a:sramecc+:xnack-
        lowered = lowered.partition(":")[0]
    words: list[str] = []
    for word in re.findall(r"[a-z0-9]+", lowered):
        rest = word
        if glued := _GLUED_SERIES.match(rest):
            words.append(glued[1])
            rest = glued[2]
        if glued := _GLUED_SUFFIX.match(rest):
            words += [glued[1], glued[2]]
        else:
            words.append(rest)
    return tuple(words)


def _reduced(words: Sequence[str], stage: int) -> tuple[str, ...]:
    """Words left at a stage: all; without noise; without brands; without the series."""
    kept = list(words)
    if stage > 0:
        kept = [word for word in kept if word not in _NOISE and not _MEMORY.fullmatch(word)]
    if stage > 1:
        kept = [word for word in kept if word not in _BRANDS]
    if stage > 2 and len(kept) > 1 and kept[0] in _SERIES:  # noqa: PLR2004 - the last stage
        kept = kept[1:]
    return tuple(kept)


@lru_cache(maxsize=8192)
def _key(words: tuple[str, ...], stage: int) -> str:
    return "".join(_reduced(words, stage))


def _longer(entries: Sequence[_Entry], wanted: tuple[str, ...], stage: int) -> Iterator[_Entry]:
    """Spellings that go on after the wanted words: a user may have stopped early."""
    for entry in entries:
        words = _reduced(entry.words, stage)
        if len(words) > len(wanted) and words[: len(wanted)] == wanted:
            yield entry


def _bare_capability(matrix: Matrix, text: str, sm: str) -> Device | NoDevice:
    known = {row.sm: row for row in matrix.capabilities}
    if row := known.get(sm):
        return Device(kind=DeviceKind.CUDA, name=sm, arch=sm, tegra=row.tegra)
    wanted = parse_sm(sm)[:2]

    def distance(other: str) -> tuple[int, str]:
        major, minor, _ = parse_sm(other)
        return abs((major - wanted[0]) * 10 + minor - wanted[1]), other

    near = sorted(known, key=distance)[:_NEAREST]
    return NoDevice(
        text=text,
        problem=DeviceProblem.NO_CAPABILITY,
        nearest=tuple(f"{other} ({format_cc(other)})" for other in near),
    )


def _unique(entries: Sequence[_Entry]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry.device.name for entry in entries))[:_NEAREST]


def _nearest(entries: Sequence[_Entry], words: tuple[str, ...]) -> tuple[str, ...]:
    """Canonical names whose spelling resembles the words."""
    spellings: dict[str, list[_Entry]] = {}
    for entry in entries:
        for stage in range(_STAGES):
            if spelling := _key(entry.words, stage):
                spellings.setdefault(spelling, []).append(entry)
    wanted = _key(words, 2) or "".join(words)
    close = difflib.get_close_matches(wanted, spellings, n=3 * _NEAREST, cutoff=0.6)
    return _unique([entry for spelling in close for entry in spellings[spelling]])
