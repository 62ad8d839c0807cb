"""Names of files, tags of the wheel and the target's Python, each against the others."""

from __future__ import annotations

import pytest
from inspected_wheel import ONE, WHEEL
from installer_tags import PYTHONS, taken, thinkable
from msgspec.structs import replace

from mmlock.binary.model import Answer, ArguedAnswer
from mmlock.binary.python_verdict import judge_python


def judged(*files: str | None, tags: tuple[str, ...] = (), python: str | None = None) -> ArguedAnswer:
    ones = tuple(replace(ONE, path=f"ext/{place}.so", python=name) for place, name in enumerate(files))
    return judge_python(replace(WHEEL, extensions=ones, tags=tags), python)


@pytest.mark.parametrize(
    ("tag", "python", "admitted"),
    [
        ("cp310-cp310-linux_x86_64", "3.10", True),
        ("cp310-cp310-linux_x86_64", "3.11", False),
        ("cp310-cp310-linux_x86_64", "3.9", False),
        ("cp210-cp210-linux_x86_64", "3.10", False),
        ("cp39.cp310-cp39.cp310-linux_x86_64", "3.10", True),
        ("cp39-abi3-linux_x86_64", "3.9", True),
        ("cp39-abi3-linux_x86_64", "3.10", True),
        ("cp39-abi3-linux_x86_64", "3.8", False),
        ("cp39-abi3-linux_x86_64", "4.9", False),
        ("cp39-abi3-linux_x86_64", "3.13t", False),  # it has no stable ABI
        ("cp310-none-linux_x86_64", "3.10", True),
        ("cp310-none-linux_x86_64", "3.11", False),
        ("cp3-none-linux_x86_64", "3.11", False),  # no installer lists it
        ("cp3-abi3-linux_x86_64", "3.11", False),
        ("py3-none-linux_x86_64", "3.11", True),
        ("py2-none-linux_x86_64", "3.11", False),
        ("py2.py3-none-linux_x86_64", "3.11", True),
        ("py38-none-linux_x86_64", "3.11", True),  # and each later Python
        ("py311-none-linux_x86_64", "3.11", True),
        ("py312-none-linux_x86_64", "3.11", False),
        ("pp310-pypy310_pp73-linux_x86_64", "3.10", False),
        ("cp313-cp313t-linux_x86_64", "3.13t", True),
        ("cp313-cp313t-linux_x86_64", "3.13", False),
        ("cp313-cp313-linux_x86_64", "3.13t", False),
    ],
)
def test_a_tag_lets_in_the_pythons_that_an_installer_takes_it_for(
    tag: str, python: str, *, admitted: bool
) -> None:
    other = "pp37-pypy37_pp73-win_amd64"
    for tags in ((tag,), (other, tag), (tag, other)):
        found = judged(None, tags=tags, python=python)
        assert found.answer is (Answer.UNKNOWN if admitted else Answer.FAILS)
        text = f"its tag `{tags[0]}` does not admit Python {python}"
        assert found.evidence == (("the names of its files tell no Python",) if admitted else (text,))


@pytest.mark.parametrize("python", PYTHONS)
def test_the_tags_that_admit_a_python_are_those_that_an_installer_lists(python: str) -> None:
    pairs = thinkable(python)
    admitted = {
        pair
        for pair in pairs
        if judged(None, tags=(f"{pair[0]}-{pair[1]}-any",), python=python).answer is Answer.UNKNOWN
    }
    assert admitted == taken(python) & set(pairs)


def test_without_a_python_or_a_tag_nothing_is_said_of_them() -> None:
    assert judged(None, tags=("cp310-cp310-linux_x86_64",)).answer is Answer.UNKNOWN
    assert judged(None, python="3.10").answer is Answer.UNKNOWN
    assert judged().answer is Answer.UNKNOWN


def test_files_are_named_for_a_python() -> None:
    plain = judged("cpython-310", None, "abi3", "cpython-310", python="3.10")
    assert plain.answer is Answer.HOLDS
    assert plain.evidence == ("its files are named for abi3, cpython-310",)


def test_each_file_that_is_for_another_python_is_told() -> None:
    found = judged("cpython-311", "cpython-310", "cpython-39", python="3.10")
    assert found.answer is Answer.FAILS
    assert found.evidence == (
        "`ext/0.so` is for Python 3.11, not 3.10",
        "`ext/2.so` is for Python 3.9, not 3.10",
    )
    tagged = judged("cpython-313t", tags=("cp313-cp313-linux_x86_64",))
    assert tagged.answer is Answer.FAILS
    assert tagged.evidence == (
        "`ext/0.so` is for Python 3.13t, but the wheel is tagged `cp313-cp313-linux_x86_64`",
    )
    assert judged("cpython-313", tags=()).answer is Answer.HOLDS
