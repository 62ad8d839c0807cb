"""What may become a file name, and what would reach out of the folder or name a device."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.files.names import NameProblem, UnsafeNameError, bare_file_name


@pytest.mark.parametrize(
    "name",
    [
        "mmcv-2.1.0-cp312-cp312-linux_x86_64.whl",
        "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl",
        "mmcv-2.1.0.tar.gz",
        ".hidden",
        "..two-dots-at-the-start",
        "a%2Fb",
        "console.txt",
        "com10",
        "größe.txt",
        "x" * 255,
    ],
)
def test_a_name_of_one_file_is_given_back_as_it_is(name: str) -> None:
    assert bare_file_name(name) == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", NameProblem.EMPTY),
        (".", NameProblem.FOLDER),
        ("..", NameProblem.FOLDER),
        ("/etc/passwd", NameProblem.SEPARATOR),
        ("../up.whl", NameProblem.SEPARATOR),
        ("..\\up.whl", NameProblem.SEPARATOR),
        ("a/b", NameProblem.SEPARATOR),
        ("C:up.whl", NameProblem.DRIVE),
        ("file.whl:stream", NameProblem.DRIVE),
        ("a\x00b", NameProblem.CONTROL),
        ("a\nb", NameProblem.CONTROL),
        ("a\x1b[2Jb", NameProblem.CONTROL),
        ("a\x7fb", NameProblem.CONTROL),
        ("a\x9bb", NameProblem.CONTROL),
        ("a\u202eb", NameProblem.CONTROL),
        ("a\u2028b", NameProblem.CONTROL),
        ("a\udc80b", NameProblem.CONTROL),
        ("nul", NameProblem.RESERVED),
        ("NUL.whl", NameProblem.RESERVED),
        ("nul .whl", NameProblem.RESERVED),
        ("com1.tar.gz", NameProblem.RESERVED),
        ("LPT\u00b9", NameProblem.RESERVED),
        ("conin$", NameProblem.RESERVED),
        ("a.", NameProblem.RESERVED),
        ("a ", NameProblem.RESERVED),
        ("a?b", NameProblem.RESERVED),
        ("x" * 256, NameProblem.TOO_LONG),
        ("ü" * 128, NameProblem.TOO_LONG),
        ("x" * 10_000_000, NameProblem.TOO_LONG),
    ],
)
def test_what_is_no_name_of_one_file_is_refused_with_the_reason(name: str, problem: NameProblem) -> None:
    with pytest.raises(UnsafeNameError) as caught:
        bare_file_name(name)
    assert caught.value.problem is problem
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1200


@pytest.mark.slow
@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_an_accepted_name_stays_in_its_folder(name: str) -> None:
    try:
        accepted = bare_file_name(name)
    except UnsafeNameError as error:
        message = str(error)
        assert message.isascii() and message.isprintable()  # noqa: PT018
        return
    folder = Path("/somewhere")
    assert (folder / accepted).parent == folder
    assert (folder / accepted).name == accepted
    assert accepted.isprintable()
