"""One reader of set-up files: it tells what is written out, and whether that is all."""

from __future__ import annotations

import ast

import pytest

from mmlock.lock.setup_files import SetupCall, read_config, read_setup


def only(text: str) -> SetupCall:
    (call,) = read_setup(ast.parse(text))
    return call


@pytest.mark.parametrize(
    ("value", "lines", "whole"),
    [
        ("['a', 'b>1']", ["a", "b>1"], True),
        ("('a',) + ['b']", ["a", "b"], True),
        ("'''\\na\\n b\\n'''", ["a", "b"], True),
        ("named", ["n"], True),
        ("touched", [], False),
        ("['a', other()]", ["a"], False),
        ("['a', *named]", ["a"], False),
        ("read('requirements.txt')", [], False),
        ("[]", [], True),
    ],
)
def test_a_list_is_what_is_written_out(value: str, lines: list[str], whole: bool) -> None:  # noqa: FBT001
    text = f"named = ['n']\ntouched = ['t']\ntouched.append('u')\nsetup(install_requires={value})\n"
    found = only(text).lists["install_requires"]
    assert ([line for _, line in found.lines], found.whole) == (lines, whole)


def test_files_are_told_where_code_may_read_them() -> None:
    found = only("setuptools.setup(install_requires=parse('requirements/build.txt'))").lists[
        "install_requires"
    ]
    assert found.files == ("requirements/build.txt",)
    assert only("setup(install_requires=['a.txt'])").lists["install_requires"].files == ()


def test_a_name_that_stands_for_itself_ends() -> None:
    assert not only("a = a\nsetup(install_requires=a)").lists["install_requires"].whole


def test_texts_extras_and_what_is_open() -> None:
    call = only(
        "setup(name='n', version=v(),\n python_requires='>=3.8', extras_require={'x': ['y']}, **more)"
    )
    assert call.texts == {"name": (1, "n"), "python_requires": (2, ">=3.8")}
    assert call.lists["extras_require"].lines == ((2, "y"),)
    assert call.open
    assert not only("setup()").open


def test_a_config_that_is_none() -> None:
    assert read_config("[metadata]\nname = 100%\n") is not None
    assert read_config("no section\n") is None
