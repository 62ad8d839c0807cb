"""ELF files, against what was put into them."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_files import Made, elf

from mmlock.binary.elf import read_elf
from mmlock.binary.elf_prefix import read_elf_prefix
from mmlock.binary.floors import floors_of
from mmlock.binary.reading import Memory, Unreadable

NAMES = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz_ABC0123456789", min_size=1, max_size=40), unique=True, max_size=30
)
TORCH = "_ZN2at6TensorC1Ev"
FULL = Made(
    undefined=[TORCH, "memcpy"],
    weak=["__gmon_start__"],
    defined=["PyInit__C", "helper"],
    needed=["libc10.so", "libc.so.6"],
    soname="lib_C.so",
    runpath="$ORIGIN:$ORIGIN/../torch/lib",
    versions={"libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.17"], "libstdc++.so.6": ["GLIBCXX_3.4.9"]},
)


@pytest.mark.slow
@given(undefined=NAMES, weak=NAMES, defined=NAMES, sections=st.booleans())
def test_every_name_is_found_in_its_place(
    *, undefined: list[str], weak: list[str], defined: list[str], sections: bool
) -> None:
    u, w, d = (
        {f"{kind}{name}" for name in names}
        for kind, names in zip("uwd", (undefined, weak, defined), strict=True)
    )
    found = read_elf(
        Memory(
            elf(Made(undefined=sorted(u), weak=sorted(w), defined=[*sorted(d), "dlast"], sections=sections))
        )
    )
    assert found.symbols.undefined == u
    assert found.symbols.weak == w
    assert found.symbols.defined == d | {"dlast"}


def test_all_that_a_loader_asks_is_told() -> None:
    found = read_elf(Memory(elf(FULL)))
    assert found.machine == "x86_64"
    assert found.needed == ("libc10.so", "libc.so.6")
    assert found.soname == "lib_C.so"
    assert found.runpath == ("$ORIGIN", "$ORIGIN/../torch/lib")
    assert found.versions == {
        "libc.so.6": ("GLIBC_2.17", "GLIBC_2.2.5"),
        "libstdc++.so.6": ("GLIBCXX_3.4.9",),
    }
    assert floors_of(found.versions) == {"GLIBC": "2.17", "GLIBCXX": "3.4.9"}


@pytest.mark.slow
@given(undefined=NAMES, defined=NAMES, gap=st.sampled_from([0, 1000, 200_000]))
def test_the_beginning_tells_what_the_whole_does(undefined: list[str], defined: list[str], gap: int) -> None:
    made = Made(
        undefined=[f"u{name}" for name in undefined],
        defined=[f"d{name}" for name in defined] + ["dlast"],
        needed=["libtorch_cpu.so", "libc.so.6"],
        versions={"libc.so.6": ["GLIBC_2.17"]},
        gap=gap,
        gpu=b"x" * 64,
    )
    data = elf(made)
    whole = read_elf(Memory(data))
    start = read_elf_prefix(Memory(data))
    assert start.symbols == whole.symbols
    assert set(start.needed) == set(whole.needed)
    assert start.versions == whole.versions
    assert start.machine == "x86_64"


def test_a_beginning_whose_hashes_do_not_fit_is_not_believed() -> None:
    data = bytearray(elf(FULL))
    at = data.index(b"PyInit__C")
    data[at : at + 2] = b"Xy"
    with pytest.raises(Unreadable, match="does not begin with its symbols"):
        read_elf_prefix(Memory(bytes(data)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda _: b"#!/bin/sh\nexit 0\n" * 8, "no ELF file"),
        (lambda _: b"\x7fELF", "only 4 bytes"),
        (lambda d: d[:4] + b"\x01" + d[5:], "32-bit little-endian"),
        (
            lambda d: d[:5] + b"\x02" + d[6:18] + struct.pack(">H", 22) + d[20:],
            "big-endian ELF file for s390",
        ),
        (lambda d: d[:32] + struct.pack("<Q", 1 << 60) + d[40:], "outside the file"),
        (lambda d: d[:54] + struct.pack("<H", 7) + d[56:], "unknown size"),
        (lambda d: d[:56] + struct.pack("<H", 0) + d[58:], "no dynamic section"),
        (lambda d: d[:400], "outside the file"),
    ],
)
def test_what_is_no_readable_file_is_said_so(change: Callable[[bytes], bytes], says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        read_elf(Memory(change(elf(FULL))))


def test_absurd_counts_are_refused_before_memory_is_taken() -> None:
    made = elf(Made(defined=["a"], sections=False))
    tags = made.index(struct.pack("<QQ", 10, 3))
    with pytest.raises(Unreadable, match="claims"):
        read_elf(Memory(made[: tags + 8] + struct.pack("<Q", 1 << 40) + made[tags + 16 :]))


@pytest.mark.slow
@given(data=st.data())
def test_no_damage_does_more_than_a_clear_refusal(data: st.DataObject) -> None:
    """Whatever bytes are changed or cut, the answer is a value or Unreadable, and soon."""
    good = bytearray(elf(FULL))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    for piece in (bytes(good), bytes(good[:cut])):
        for read in (read_elf, read_elf_prefix):
            with contextlib.suppress(Unreadable):
                read(Memory(piece))
