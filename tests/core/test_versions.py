"""The two ways versions are compared: PEP 440 for what metadata says, `digit_version` for import checks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from mmlock.core.versions import (
    allows,
    allows_python,
    assert_holds,
    digit_version,
    is_prerelease,
    is_specifier,
    version,
)

# Tuples as `mmengine.utils.digit_version` gives them.
DIGITS = {
    "1.3.17": (1, 3, 17, 0, 0, 0),
    "2.0.0": (2, 0, 0, 0, 0, 0),
    "2.0.0rc1": (2, 0, 0, 0, -1, 1),
    "2.0.0rc4": (2, 0, 0, 0, -1, 4),
    "2.0.0b2": (2, 0, 0, 0, -2, 2),
    "2.0.0a1": (2, 0, 0, 0, -3, 1),
    "2.0.0.dev3": (2, 0, 0, 0, -4, 0),
    "2.0.0.post1": (2, 0, 0, 0, 1, 1),
    "1.0": (1, 0, 0, 0, 0, 0),
    "1.2.3.4.5": (1, 2, 3, 4, 0, 0),
    "2.1.2+cu118": (2, 1, 2, 0, 0, 0),
    "2.0.0rc1+cpu": (2, 0, 0, 0, -1, 1),
}


@pytest.mark.parametrize(("text", "digits"), DIGITS.items())
def test_the_tuple_of_a_version(text: str, digits: tuple[int, ...]) -> None:
    assert digit_version(text) == digits


@pytest.mark.parametrize(
    ("op", "bound", "candidate", "holds"),
    [
        ("<", "2.0.0", "2.0.0rc1", True),
        (">=", "2.0.0", "2.0.0rc1", False),
        (">=", "2.0.0rc4", "2.0.0rc4", True),
        (">=", "2.0.0rc4", "2.0.0rc10", True),
        ("<", "2.2.0", "2.2.0+cu121", False),
        ("<=", "2.2.0", "2.2.0+cu121", True),
        ("<=", "1.8.0", "1.8.0.post1", False),
        (">", "2.0.0", "2.0.0.post1", True),
        ("==", "2.0", "2.0.0", True),
        ("!=", "2.0", "2.0.0", False),
        ("<", "2.0.0a1", "2.0.0.dev3", True),
        ("<", "2.0.0rc1", "2.0.0b9", True),
    ],
)
def test_import_checks(op: str, bound: str, candidate: str, *, holds: bool) -> None:
    assert assert_holds(op, bound, candidate) is holds


@pytest.mark.parametrize(
    ("specifier", "candidate", "admitted"),
    [
        ("", "0.0.1.dev1", True),
        ("==2.1.2", "2.1.2+cu118", True),
        ("==2.1.2+cu118", "2.1.2+cu118", True),
        ("==2.1.2+cu118", "2.1.2+cu121", False),
        ("==2.1.2+cu118", "2.1.2", False),
        ("==2.1.*", "2.1.2+cu118", True),
        ("<=2.1.2", "2.1.2+cu118", True),
        (">2.1.2", "2.1.2+cu118", False),
        ("!=2.1.2", "2.1.2+cu118", False),
        ("<2.0.0", "2.0.0rc1", False),
        (">=2.0.0rc1", "2.0.0rc4", True),
        (">=1.3", "2.0.0rc4", True),
        ("~=2.1", "2.9.1", True),
        ("~=2.1.0", "2.2.0", False),
    ],
)
def test_specifiers(specifier: str, candidate: str, *, admitted: bool) -> None:
    assert allows(specifier, candidate) is admitted


def test_the_two_disagree_on_release_candidates() -> None:
    assert assert_holds("<", "2.0.0", "2.0.0rc1")
    assert not allows("<2.0.0", "2.0.0rc1")


@pytest.mark.parametrize("text", ["1.0.0rc6", "2.0.dev1", "1.0a1", "1.0.post1.dev2", "2.0.0rc1+cpu"])
def test_prereleases(text: str) -> None:
    assert is_prerelease(text)
    assert not is_prerelease("2.0.post1")


def test_what_is_a_specifier() -> None:
    assert is_specifier(">=1,<2")
    assert is_specifier("")
    assert not is_specifier("2.1.2")
    assert not is_specifier("==3.13t.*")


releases = st.tuples(*[st.integers(0, 30)] * 3).map(lambda parts: ".".join(map(str, parts)))
stages = st.sampled_from(["", "a1", "b2", "rc1", "rc12", ".post1", ".post3"])


@given(releases, stages, releases, stages)
def test_digit_version_orders_as_pep_440_does(a: str, sa: str, b: str, sb: str) -> None:
    first, second = a + sa, b + sb
    assert (digit_version(first) < digit_version(second)) == (Version(first) < Version(second))


@given(releases, stages, st.sampled_from(["cu118", "cpu", "pt2.8.0cu128"]))
def test_the_local_part_never_counts(release: str, stage: str, local: str) -> None:
    assert digit_version(f"{release}{stage}+{local}") == digit_version(release + stage)


@pytest.mark.parametrize("digits", [1001, 5000])
def test_a_number_that_no_version_has_is_no_version(digits: int) -> None:
    """Python refuses to convert numbers of more than 4300 digits, by a ValueError that nobody expects."""
    with pytest.raises(InvalidVersion):
        version("1." + "9" * digits)
    assert not is_specifier(">=1,<1." + "9" * digits)
    assert is_specifier(",".join(f"!=1.{number}" for number in range(1000)))


@pytest.mark.parametrize(
    ("specifier", "admitted"),
    [
        ("", True),
        (">=3.8", True),
        (">=3.8.1", True),
        (">=3.8.19", True),
        ("==3.8.5", True),
        ("==3.8.*", True),
        (">=3.8.2,<3.8.4", True),
        (">3.8.2,<3.8.4", True),
        ("<3.8.1", True),
        (">=3.6,!=3.8.0", True),
        ("~=3.8.3", True),
        ("<3.8", False),
        ("<3.8.0", False),
        (">=3.9", False),
        (">=3.9.0", False),
        ("!=3.8.*", False),
        (">3.8.3,<3.8.4", False),
        ("==3.7.5", False),
        ("===3.8.7", True),
        ("===3.8.7.final", False),
    ],
)
def test_a_python_is_admitted_when_one_of_its_patch_releases_is(specifier: str, *, admitted: bool) -> None:
    assert allows_python(specifier, "3.8") is admitted
