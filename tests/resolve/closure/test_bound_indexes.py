"""A package that is bound to an index comes from there and from nowhere else (dependency confusion)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from package_index import serving

from mmlock.core.artifact import IndexSettings, NamedIndex
from mmlock.core.names import PackageName
from mmlock.resolve.closure.bound_indexes import credentials, project_text
from mmlock.resolve.closure.closer import UvCloser
from mmlock.resolve.closure.model import Closed, ClosureAnswer, ClosureConflict, ClosureRequest
from mmlock.resolve.closure.uv_settings import bad_source, sources, uv_environment

if TYPE_CHECKING:
    from package_index import Ask, Index

OURS = PackageName("our-ops")


@pytest.fixture
def team() -> Iterator[Index]:
    """The team's own index; the one that all can upload to is `index`."""
    with serving() as served:
        served.add("our-ops", "1.0")
        served.add("numpy", "99.0")
        yield served


def bound_to(team: Index, request: ClosureRequest, *packages: str) -> ClosureRequest:
    named = NamedIndex(name="team", url=team.url, packages=tuple(map(PackageName, packages)))
    return replace(request, index=replace(request.index, named=(named,)))


def pins(answer: ClosureAnswer) -> dict[str, str]:
    assert isinstance(answer, Closed), answer
    return {package.name: package.version for package in answer.packages}


@pytest.mark.slow
def test_what_is_asked_for_comes_from_its_index_however_new_it_is_elsewhere(
    index: Index, team: Index, ask: Ask, closer: UvCloser
) -> None:
    index.add("our-ops", "9.9")
    index.add("numpy", "2.0")
    answer = closer.close(bound_to(team, ask("our-ops", "numpy"), "our-ops"))
    assert pins(answer) == {"our-ops": "1.0", "numpy": "2.0"}
    assert not any("our-ops" in path for path in index.asked)
    assert not any("numpy" in path for path in team.asked)


@pytest.mark.slow
def test_so_does_what_another_package_requires(index: Index, team: Index, ask: Ask, closer: UvCloser) -> None:
    index.add("our-ops", "9.9")
    index.add("detector", "1.0", "our-ops>=1")
    answer = closer.close(bound_to(team, ask("detector"), "our-ops"))
    assert pins(answer) == {"detector": "1.0", "our-ops": "1.0"}
    assert isinstance(answer, Closed)
    urls = {package.name: package.files[0].url for package in answer.packages}
    assert urls["our-ops"].startswith(team.url.removesuffix("/simple"))


@pytest.mark.slow
def test_and_what_no_other_index_has(index: Index, team: Index, ask: Ask, closer: UvCloser) -> None:
    index.add("detector", "1.0", "our-ops>=1")
    assert pins(closer.close(bound_to(team, ask("detector"), "our-ops"))) == {
        "detector": "1.0",
        "our-ops": "1.0",
    }


def test_what_its_index_has_not_is_refused_and_not_looked_for_elsewhere(
    index: Index, team: Index, ask: Ask, closer: UvCloser
) -> None:
    index.add("our-ops", "9.9")
    index.add("our-more", "1.0")
    for wanted in (("our-ops>=2",), ("our-more",)):
        answer = closer.close(bound_to(team, ask(*wanted), "our-ops", "our-more"))
        assert isinstance(answer, ClosureConflict), answer


def test_a_bound_package_that_nothing_needs_is_not_in_the_answer(
    index: Index, team: Index, ask: Ask, closer: UvCloser
) -> None:
    index.add("six", "1.0")
    assert pins(closer.close(bound_to(team, ask("six"), "our-ops"))) == {"six": "1.0"}


def test_an_extra_index_beats_the_main_one_and_that_is_why_there_are_bound_ones(
    index: Index, team: Index, ask: Ask, closer: UvCloser
) -> None:
    index.add("numpy", "2.0")
    request = ask("numpy")
    request = replace(request, index=replace(request.index, extra_index_urls=(team.url,)))
    assert pins(closer.close(request)) == {"numpy": "99.0"}


def test_a_login_is_in_no_file() -> None:
    named = (NamedIndex(name="team.x-1", url="https://me:w%40rd@t.example/simple", packages=(OURS,)),)
    text = project_text([OURS], named)
    assert "https://t.example/simple" in text
    assert "me" not in text.replace("name", "")
    wanted = {"UV_INDEX_TEAM_X_1_USERNAME": "me", "UV_INDEX_TEAM_X_1_PASSWORD": "w@rd"}
    assert credentials(named) == wanted
    places = sources(IndexSettings(named=named), {})
    assert wanted.items() <= uv_environment({}, places).items()


def test_a_bound_index_that_cannot_be_read_is_named_without_its_password() -> None:
    named = (NamedIndex(name="team", url="ftp://me:secret@t.example", packages=(OURS,)),)
    wrong = bad_source(sources(IndexSettings(named=named), {}))
    assert wrong is not None
    assert "secret" not in wrong
