"""Names asked one by one are found exactly when the whole table has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_files import Made, elf

from mmlock.binary.elf import read_elf
from mmlock.binary.exports import Exports
from mmlock.binary.reading import MappedFile, Memory, Unreadable

NAMES = st.text(alphabet="abcxyz_019", min_size=1, max_size=12)


@pytest.mark.slow
@given(
    defined=st.lists(NAMES, unique=True, max_size=20),
    undefined=st.lists(NAMES, unique=True, max_size=5),
    needed=st.lists(st.sampled_from(["libc.so.6", "libtorch.so", "libm.so.6"]), unique=True),
    others=st.lists(NAMES, max_size=20),
)
def test_it_agrees_with_reading_everything(
    defined: list[str], undefined: list[str], needed: list[str], others: list[str]
) -> None:
    wanted = [name for name in undefined if name not in defined]
    data = elf(Made(defined=defined, undefined=wanted, needed=needed, soname="libx.so.1"))
    whole = read_elf(Memory(data))
    exports = Exports(Memory(data))
    asked = {*defined, *undefined, *others}
    assert exports.among(asked) == whole.symbols.defined & asked
    assert exports.needed == whole.needed
    assert exports.soname == whole.soname == "libx.so.1"


def test_real_libraries_agree_too() -> None:
    found = [path for path in sorted(Path("/lib").glob("*-linux-gnu/lib[cm].so.6")) if path.is_file()]
    for path in found:
        with MappedFile(path) as source:
            names = read_elf(source).symbols.defined
            asked = sorted(names)[::7]
            assert Exports(source).among([*asked, "no_such_name", ""]) == frozenset(asked)


def test_every_truncation_is_unreadable_or_right() -> None:
    data = elf(Made(defined=["one", "two"], needed=["libc.so.6"], soname="libx.so"))
    for size in range(0, len(data), 3):
        try:
            exports = Exports(Memory(data[:size]))
            assert exports.among(["one", "none"]) <= {"one"}
            assert set(exports.needed) <= {"libc.so.6"}
        except Unreadable:
            continue


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"junk" * 100])
def test_junk_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        Exports(Memory(data))
