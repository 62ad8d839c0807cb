"""GPU code, against what was put into it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_files import container, cubin, fatbin, packed, ptx

from mmlock.binary.fatbin import GpuCode, read_gpu_code
from mmlock.binary.reading import Memory, Unreadable


def read(*containers: bytes, sample: int | None = None) -> GpuCode | None:
    data = fatbin(containers)
    return read_gpu_code(Memory(data), 0, len(data), sample=sample)


def test_an_arch_counts_when_every_container_has_it() -> None:
    found = read(container(cubin(70), cubin(80), ptx(80)), container(cubin(80), cubin(90), ptx(80), ptx(90)))
    assert found is not None
    assert found.archs == ("sm_80",)
    assert found.ptx == ("compute_80",)
    assert found.some_archs == ("sm_70", "sm_90")
    assert found.some_ptx == ("compute_90",)
    assert (found.containers, found.empty, found.complete) == (2, 0, True)


def test_containers_without_kernels_do_not_count() -> None:
    """nvcc writes them with its default arch: counted, they would empty the intersection."""
    empty = container(cubin(52, kernels=False), ptx(52, kernels=False))
    found = read(empty, container(cubin(80)), container(packed(2, 52, 600), packed(1, 52, 300)))
    assert found is not None
    assert found.archs == ("sm_80",)
    assert (found.containers, found.empty) == (1, 2)


def test_compressed_code_is_told_by_its_headers() -> None:
    found = read(container(packed(2, 90, 5000, flags=0x8011), packed(1, 90, 3000)))
    assert found is not None
    assert (found.archs, found.ptx) == (("sm_90",), ("compute_90",))


@pytest.mark.parametrize(("flags", "suffix"), [(0x11, ""), (0x100011, "a"), (0x200011, "f")])
def test_suffixes_are_flags(flags: int, suffix: str) -> None:
    found = read(container(cubin(120, flags=flags), ptx(120, flags=flags)))
    assert found is not None
    assert found.archs == (f"sm_120{suffix}",)
    assert found.ptx == (f"compute_120{suffix}",)


def test_the_highest_ptx_version_is_what_a_driver_must_read() -> None:
    found = read(container(ptx(80, isa="7.8")), container(ptx(80, isa="7.10")), container(ptx(80, isa="6.5")))
    assert found is not None
    assert found.isa == "7.10"


def test_a_sample_stops_and_says_so() -> None:
    found = read(container(cubin(80)), container(cubin(80)), container(cubin(90)), sample=2)
    assert found is not None
    assert (found.archs, found.containers, found.complete) == (("sm_80",), 2, False)


def test_nothing_is_nothing() -> None:
    assert read_gpu_code(Memory(b""), 0, 0) is None
    assert read_gpu_code(Memory(bytes(64)), 0, 64) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"\1" + data[1:],  # magic
        lambda data: data[:8] + b"\xff" * 8 + data[16:],  # length of the container
        lambda data: data[:24] + b"\xff" * 8 + data[32:],  # length of the entry
        lambda data: data[:20] + bytes(4) + data[24:],  # an entry header of no size
    ],
)
def test_damage_is_said(damage: Callable[[bytes], bytes]) -> None:
    data = damage(fatbin([container(cubin(80))]))
    with pytest.raises(Unreadable):
        read_gpu_code(Memory(data), 0, len(data))


@pytest.mark.slow
@given(
    rows=st.lists(
        st.lists(st.tuples(st.booleans(), st.sampled_from([35, 70, 80, 90, 120])), min_size=1, max_size=6),
        min_size=1,
        max_size=6,
    )
)
def test_intersection_and_rest_are_those_of_the_containers(rows: list[list[tuple[bool, int]]]) -> None:
    found = read(*(container(*(ptx(sm) if text else cubin(sm) for text, sm in row)) for row in rows))
    assert found is not None
    cubins = [{f"sm_{sm}" for text, sm in row if not text} for row in rows]
    assert set(found.archs) == set.intersection(*cubins)
    assert set(found.archs) | set(found.some_archs) == set.union(*cubins)
    assert found.containers == len(rows)


@given(data=st.data())
def test_no_damage_does_more_than_a_clear_refusal(data: st.DataObject) -> None:
    raw = bytearray(fatbin([container(cubin(80), ptx(80)), container(cubin(90))]))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Unreadable):
        read_gpu_code(Memory(bytes(raw)), 0, len(raw))
