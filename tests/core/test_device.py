"""NVIDIA's rules on which GPU code runs where, as tables and as laws.

The tables are read off the programming guide ("Compute Capabilities", "Binary Compatibility", "PTX
Compatibility") and the compatibility guide of the CUDA toolkit.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.core.device import Code, Device, code_for, cubin_runs, format_cc, parse_sm, ptx_runs
from mmlock.core.names import DeviceKind

CUBINS = [
    # built for, device, runs
    ("sm_80", "sm_86", True),
    ("sm_80", "sm_89", True),
    ("sm_60", "sm_61", True),
    ("sm_50", "sm_52", True),
    ("sm_120", "sm_121", True),
    ("sm_100", "sm_103", True),
    ("sm_86", "sm_80", False),
    ("sm_100", "sm_120", False),
    ("sm_120", "sm_100", False),
    ("sm_90", "sm_100", False),
    ("sm_75", "sm_80", False),
    ("sm_90a", "sm_90", True),
    ("sm_100a", "sm_100", True),
    ("sm_100a", "sm_103", False),
    ("sm_120a", "sm_121", False),
    ("sm_100f", "sm_100", True),
    ("sm_100f", "sm_103", True),
    ("sm_103f", "sm_100", False),
    ("sm_120f", "sm_121", True),
    ("sm_100f", "sm_120", False),
]

PTX = [
    ("compute_70", "sm_70", True),
    ("compute_70", "sm_75", True),
    ("compute_80", "sm_120", True),
    ("compute_90", "sm_89", False),
    ("compute_120", "sm_103", False),
    ("compute_90a", "sm_90", True),
    ("compute_90a", "sm_100", False),
    ("compute_100a", "sm_103", False),
    ("compute_100f", "sm_103", True),
    ("compute_100f", "sm_110", False),
    ("compute_120f", "sm_121", True),
    ("compute_121f", "sm_120", False),
]

TEGRA = [
    ("sm_53", "sm_53", True),
    ("sm_50", "sm_53", False),
    ("sm_80", "sm_87", False),
    ("sm_86", "sm_87", False),
    ("sm_87", "sm_87", True),
    ("sm_70", "sm_72", False),
    ("sm_110f", "sm_110", True),
]


@pytest.mark.parametrize(("built", "device", "runs"), CUBINS)
def test_cubins(built: str, device: str, *, runs: bool) -> None:
    assert cubin_runs(built, device) is runs


@pytest.mark.parametrize(("built", "device", "runs"), PTX)
def test_ptx(built: str, device: str, *, runs: bool) -> None:
    assert ptx_runs(built, device) is runs


@pytest.mark.parametrize(("built", "device", "runs"), TEGRA)
def test_tegra_parts_take_their_own_cubins_only(built: str, device: str, *, runs: bool) -> None:
    assert cubin_runs(built, device, tegra=True) is runs


capabilities = st.tuples(st.integers(3, 15), st.integers(0, 9))
suffixes = st.sampled_from(["", "a", "f"])


def sm(pair: tuple[int, int], suffix: str = "") -> str:
    return f"sm_{pair[0]}{pair[1]}{suffix}"


@given(own=capabilities, suffix=suffixes, tegra=st.booleans())
def test_code_runs_on_what_it_was_built_for(own: tuple[int, int], suffix: str, *, tegra: bool) -> None:
    assert cubin_runs(sm(own, suffix), sm(own), tegra=tegra)
    assert ptx_runs(sm(own, suffix).replace("sm", "compute"), sm(own))


@given(built=capabilities, device=capabilities, suffix=suffixes, tegra=st.booleans())
def test_no_cubin_crosses_a_major(
    built: tuple[int, int], device: tuple[int, int], suffix: str, *, tegra: bool
) -> None:
    if built[0] != device[0]:
        assert not cubin_runs(sm(built, suffix), sm(device), tegra=tegra)


@given(capabilities, st.sampled_from(["", "f"]), st.integers(0, 9), st.integers(0, 9))
def test_what_runs_on_a_minor_runs_on_every_higher_one(
    built: tuple[int, int], suffix: str, first: int, second: int
) -> None:
    lower, higher = sorted((first, second))
    if cubin_runs(sm(built, suffix), sm((built[0], lower))):
        assert cubin_runs(sm(built, suffix), sm((built[0], higher)))


@given(capabilities, capabilities, capabilities)
def test_ptx_runs_on_everything_newer(
    built: tuple[int, int], one: tuple[int, int], other: tuple[int, int]
) -> None:
    lower, higher = sorted((one, other))
    if ptx_runs(sm(built), sm(lower)):
        assert ptx_runs(sm(built), sm(higher))
    assert ptx_runs(sm(built), sm(one)) == (one >= built)


@given(capabilities, capabilities)
def test_an_arch_of_its_own_runs_nowhere_else(built: tuple[int, int], device: tuple[int, int]) -> None:
    assert cubin_runs(sm(built, "a"), sm(device)) == (built == device)
    assert ptx_runs(sm(built, "a"), sm(device)) == (built == device)


@given(capabilities, capabilities, suffixes)
def test_tegra_is_never_kinder(built: tuple[int, int], device: tuple[int, int], suffix: str) -> None:
    if cubin_runs(sm(built, suffix), sm(device), tegra=True):
        assert cubin_runs(sm(built, suffix), sm(device))


@given(capabilities, suffixes)
def test_an_arch_is_read_and_written(pair: tuple[int, int], suffix: str) -> None:
    assert parse_sm(sm(pair, suffix)) == (*pair, suffix)
    assert format_cc(sm(pair, suffix)) == f"{pair[0]}.{pair[1]}{suffix}"


@pytest.mark.parametrize("text", ["gfx90a", "sm_", "sm_x", "120", "sm_12b"])
def test_what_is_no_arch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="int"):
        parse_sm(text)


def device(arch: str | None, kind: DeviceKind = DeviceKind.CUDA, *, tegra: bool = False) -> Device:
    return Device(kind=kind, name="a device", arch=arch, tegra=tegra)


@pytest.mark.parametrize(
    ("of", "archs", "ptx", "holds"),
    [
        (device("sm_86"), ("sm_75", "sm_80"), (), Code.NATIVE),
        (device("sm_120"), ("sm_90",), ("compute_90",), Code.PTX),
        (device("sm_120"), ("sm_120",), ("compute_90",), Code.NATIVE),
        (device("sm_120"), ("sm_90",), (), Code.NONE),
        (device("sm_87", tegra=True), ("sm_80",), ("compute_80",), Code.PTX),
        (device("sm_87", tegra=True), ("sm_80",), (), Code.NONE),
        (device("sm_86"), None, (), Code.UNKNOWN),
        (device("sm_86"), None, ("compute_50",), Code.UNKNOWN),
        (device("sm_86"), (), None, Code.NONE),
        (device(None, DeviceKind.CPU), ("sm_86",), (), Code.UNKNOWN),
        (device("gfx90a", DeviceKind.ROCM), ("gfx90a", "gfx942"), (), Code.NATIVE),
        (device("gfx908", DeviceKind.ROCM), ("gfx90a",), ("compute_50",), Code.NONE),
    ],
)
def test_what_a_binary_holds_for_a_device(
    of: Device, archs: tuple[str, ...] | None, ptx: tuple[str, ...] | None, holds: Code
) -> None:
    assert code_for(of, archs, ptx) is holds


def test_only_nvidia_parts_have_a_compute_capability() -> None:
    assert device("sm_121").capability == (12, 1)
    assert device("gfx90a", DeviceKind.ROCM).capability is None
    assert device(None, DeviceKind.MPS).capability is None
