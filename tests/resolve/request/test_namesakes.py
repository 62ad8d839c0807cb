"""Names under which an index serves something else than what is meant."""

from __future__ import annotations

import pytest
from solved import facts, request

from mmlock.core.artifact import IndexSettings, NamedIndex
from mmlock.core.errors import NoAnswer
from mmlock.core.names import PackageName
from mmlock.core.requirements import Asked
from mmlock.resolve.closure.uv_log import conflict
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.namesakes import namesakes, real_ways, refuse_namesakes

URL = "clip @ https://example.org/clip-1.0-py3-none-any.whl"


@pytest.mark.parametrize("name", ["kaolin", "clip", "apex", "mamba"])
def test_another_project_of_that_name_is_refused_with_the_real_way(name: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        interpret(facts(), request(name, gpu="a100"))
    row = namesakes(facts())[PackageName(name)]
    assert "another project" in caught.value.message
    assert row.way in caught.value.hints[0]


def test_one_that_a_file_names_is_told_with_its_place() -> None:
    asked = Asked(name=PackageName("apex"), origin="requirements.txt:3")
    with pytest.raises(NoAnswer) as caught:
        refuse_namesakes(facts(), [asked], frozenset())
    assert caught.value.causes[0] == "`apex`: requirements.txt:3"


def test_a_url_and_an_index_of_its_own_say_themselves_what_is_meant() -> None:
    interpret(facts(), request(URL, gpu="a100"))
    own = NamedIndex(name="team", url="https://pypi.example.org/simple", packages=(PackageName("kaolin"),))
    interpret(facts(), request("kaolin", gpu="a100", index=IndexSettings(named=(own,))))


def test_a_version_that_the_index_does_not_have_means_the_one_that_does() -> None:
    """PyPI's kaolin is 0.1, a placeholder; NVIDIA's wheels are of later versions."""
    for text in ("kaolin==0.17.0", "kaolin>=0.15"):
        assert interpret(facts(), request(text, gpu="a100")).core_requirements[0].name == "kaolin"
    for text in ("kaolin", "kaolin<1", "kaolin==0.1"):
        with pytest.raises(NoAnswer) as caught:
            interpret(facts(), request(text, gpu="a100"))
        assert "`kaolin==0.18.0`" in caught.value.hints[1]


def test_a_bound_from_elsewhere_says_it_as_well() -> None:
    """A project imports it without a version; the user names one beside."""
    bare = Asked(name=PackageName("kaolin"), origin="train.py:1")
    refuse_namesakes(facts(), [bare, Asked(name=PackageName("kaolin"), specifier="==0.18.0")], frozenset())


def test_a_version_is_no_way_where_no_build_of_it_is_known() -> None:
    with pytest.raises(NoAnswer) as caught:
        interpret(facts(), request("apex==0.1", gpu="a100"))
    assert not any("a version says" in hint for hint in caught.value.hints)


def test_what_no_wheel_is_served_of_is_told_where_it_comes_from() -> None:
    (told,) = real_ways(facts(), ["detectron2", "numpy", "detectron2"])
    assert "github.com/facebookresearch/detectron2" in told
    assert real_ways(facts(), ["kaolin"]) == []  # refused before


def test_sources_whose_own_build_fails_are_a_value_of_a_conflict() -> None:
    told = conflict(
        "Failed to build `torch-scatter==2.1.2`\nModuleNotFoundError: No module named 'torch'", ()
    )
    assert [(one.name, one.version) for one in told.unbuilt] == [("torch-scatter", "2.1.2")]
    assert conflict("Because a==1 and b==2, we can conclude", ()).unbuilt == ()
