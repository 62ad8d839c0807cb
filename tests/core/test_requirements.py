from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.core.artifact import IndexSettings
from mmlock.core.faults import Fault
from mmlock.core.requirements import Asked, Gathered, Include, parse_file, parse_requirement, unique


def asked(text: str) -> Asked:
    found = parse_requirement(text, "here")
    assert isinstance(found, Asked), found
    return found


def fault(text: str, *, constraint: bool = False) -> Fault:
    found = parse_requirement(text, "here", constraint=constraint)
    assert isinstance(found, Fault), found
    return found


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("mmcv", "mmcv"),
        ("MMCV_full >= 1.6 , < 1.8", "mmcv-full<1.8,>=1.6"),
        ("mmdet[Tracking, mim]==3.3.0", "mmdet[mim,tracking]==3.3.0"),
        ("numpy<2; python_version<'3.12'", 'numpy<2; python_version < "3.12"'),
        ("foo @ https://x.org/foo-1-py3-none-any.whl", "foo @ https://x.org/foo-1-py3-none-any.whl"),
        (
            "foo @ https://x.org/f.whl ; extra == 'a'",
            'foo @ https://x.org/f.whl ; extra == "a"',
        ),
    ],
)
def test_a_requirement_has_one_normal_form(text: str, normal: str) -> None:
    assert asked(text).text == normal
    assert asked(normal) == asked(text)


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("mmcv=2.1.0", "cannot read `mmcv=2.1.0`", "write `mmcv==2.1.0`"),
        ("mmcv 2.1.0", "cannot read `mmcv 2.1.0`", "PEP 508"),
        ("mmcv==", "cannot read `mmcv==`", "PEP 508"),
        ("git+https://github.com/open-mmlab/mmcv", "cannot read", "NAME @ https"),
        ("https://x.org/mmcv-2.1.0.whl", "cannot read", "NAME @ https"),
        ("./mmcv", "cannot read", "--project"),
        ("mmcv @ git+https://github.com/open-mmlab/mmcv", "a repository cannot be locked", "archive"),
        ("mmcv @ ./wheels/mmcv.whl", "is not the URL of an archive", "file:///"),
    ],
)
def test_what_cannot_be_read_is_a_fault_with_a_hint(text: str, says: str, hint: str) -> None:
    found = fault(text)
    assert found.where == "here"
    assert says in found.text
    assert found.hint is not None
    assert hint in found.hint


def test_a_constraint_cannot_ask_for_extras() -> None:
    assert "extras" in fault("mmdet[mim]<4", constraint=True).text


def test_a_marker_is_judged_for_the_target_not_for_the_host() -> None:
    environment = {"python_version": "3.8", "sys_platform": "plan9", "extra": ""}
    assert asked("a; python_version < '3.9' and sys_platform == 'plan9'").applies(environment)
    assert not asked("a; python_version >= '3.9'").applies(environment)
    assert asked("a").applies(environment)


FILE = """\
\ufeff# the stack
--index-url https://index.example/simple
--extra-index-url=https://more.example/simple  # ours
-f wheels
-r base.txt
-cbounds.txt
--pre --no-index
--require-hashes

mmdet == 3.3.0 ; python_version >= "3.8"   # detector
mmcv @ https://x.org/mmcv.whl#sha256=abc
numpy \\
    >=1.20, \\
    <2
six==1.16.0 \\
    --hash=sha256:{a} \\
    --hash sha256:{b}
MMDET==3.3.0; python_version >= "3.8"
""".format(a="A" * 64, b="b" * 64)


def test_a_requirements_file_is_read_as_pip_reads_it() -> None:
    parsed = parse_file(FILE, "req/all.txt")
    assert parsed.faults == ()
    assert parsed.includes == (
        Include("req/base.txt", constraint=False, where="req/all.txt:5"),
        Include("req/bounds.txt", constraint=True, where="req/all.txt:6"),
    )
    assert parsed.gathered.index == IndexSettings(
        index_url="https://index.example/simple",
        extra_index_urls=("https://more.example/simple",),
        find_links=("req/wheels",),
        no_index=True,
    )
    assert parsed.gathered.prerelease
    assert [(a.text, a.origin) for a in parsed.gathered.requirements] == [
        ('mmdet==3.3.0; python_version >= "3.8"', "req/all.txt:10"),
        ("mmcv @ https://x.org/mmcv.whl#sha256=abc", "req/all.txt:11"),
        ("numpy<2,>=1.20", "req/all.txt:12"),
        ("six==1.16.0", "req/all.txt:15"),
    ]
    assert parsed.gathered.requirements[-1].hashes == (f"sha256:{'a' * 64}", f"sha256:{'b' * 64}")


def test_a_constraints_file_gives_constraints_only() -> None:
    parsed = parse_file("numpy<2\n-r more.txt\n", "c.txt", constraint=True)
    assert parsed.gathered.requirements == ()
    assert [a.text for a in parsed.gathered.constraints] == ["numpy<2"]
    assert parsed.includes == (Include("more.txt", constraint=True, where="c.txt:2"),)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-e .", "`-e` is not supported"),
        ("--editable=git+https://x.org/y", "`--editable` is not supported"),
        ("--no-binary :all:", "`--no-binary` is not supported"),
        ("--frobnicate", "`--frobnicate` is not supported"),
        ("--index-url https://${USER}:${TOKEN}@x.org/simple", "`${USER}` is not expanded"),
        ("--index-url", "`--index-url` needs a value"),
        ("-r 'open", "a quote is not closed"),
        ("six=1", "cannot read `six=1`"),
    ],
)
def test_a_line_that_cannot_be_honoured_is_a_fault_at_its_line(line: str, says: str) -> None:
    parsed = parse_file(f"numpy\n\n{line}\nscipy\n", "r.txt")
    assert [(f.where, says in f.text) for f in parsed.faults] == [("r.txt:3", True)], parsed.faults
    assert [a.name for a in parsed.gathered.requirements] == ["numpy", "scipy"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("six==1 --hash=md5:00", "is not a sha256"),
        ("six==1 --global-option=x", "`--global-option` on a requirement"),
    ],
)
def test_a_word_after_a_requirement_is_a_fault_and_the_pin_is_not_lost(line: str, says: str) -> None:
    """A scan reads on with faults: without the pin it would choose another version in silence."""
    parsed = parse_file(f"numpy\n{line}\n", "r.txt")
    assert [(f.where, says in f.text) for f in parsed.faults] == [("r.txt:2", True)], parsed.faults
    assert [a.text for a in parsed.gathered.requirements] == ["numpy", "six==1"]
    assert parsed.gathered.requirements[-1].hashes == ()


def test_a_continuation_at_the_end_of_the_file_is_still_read() -> None:
    assert [a.text for a in parse_file("six \\", "r.txt").gathered.requirements] == ["six"]


def test_adding_joins_and_the_later_index_holds() -> None:
    first = Gathered(requirements=(asked("a"),), index=IndexSettings(index_url="u1", find_links=("f",)))
    later = Gathered(requirements=(asked("a"), asked("b")), index=IndexSettings(index_url="u2"))
    both = first + later
    assert [a.text for a in both.requirements] == ["a", "b"]
    assert both.index == IndexSettings(index_url="u2", find_links=("f",))
    assert (
        Gathered(requires_python=">=3.8") + Gathered(requires_python="<3.13")
    ).requires_python == ">=3.8,<3.13"


def test_unique_keeps_order_and_the_first_origin() -> None:
    twice = (asked("b"), Asked(name=asked("a").name, origin="1"), Asked(name=asked("a").name, origin="2"))
    assert [(a.name, a.origin) for a in unique(twice)] == [("b", "here"), ("a", "1")]


@pytest.mark.slow
@given(st.text(max_size=60))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    parsed = parse_file(text, "r.txt")
    places = {fault.where for fault in parsed.faults} | {a.origin for a in parsed.gathered.requirements}
    assert all(place.startswith("r.txt:") for place in places)
    for requirement in parsed.gathered.requirements:
        if not requirement.hashes:
            assert parse_requirement(requirement.text, requirement.origin) == requirement
