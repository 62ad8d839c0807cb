from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.core.errors import UsageError
from mmlock.lock.formats.toml_in import open_toml
from mmlock.lock.formats.toml_out import Bare, Comment, Inline, dumps

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

texts = st.text(max_size=30)
flat = texts | st.integers(-(2**62), 2**62) | st.booleans()
inline = st.recursive(
    flat | st.lists(texts, max_size=4),
    lambda inner: st.dictionaries(texts, inner, max_size=3).map(Inline) | st.lists(inner, max_size=3),
    max_leaves=8,
)


def plain(tables: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(texts, inline | tables | st.lists(tables, min_size=1, max_size=3), max_size=4)


documents = plain(st.recursive(st.dictionaries(texts, inline, max_size=3), plain, max_leaves=4))


@pytest.mark.slow
@given(documents)
def test_what_is_written_is_read_back(document: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(document)) == document


@pytest.mark.slow
@given(texts)
def test_a_comment_never_leaks_into_the_document(text: str) -> None:
    assert tomllib.loads(dumps({Comment(text): None, "a": 1})) == {"a": 1}


def test_layout_is_one_item_per_line() -> None:
    document = {
        Comment("head"): None,
        "name": 'a "b"',
        "when": Bare("2024-12-04T17:35:28Z"),
        "files": [Inline(name="x", size=1), Inline(name="y")],
        "tool": {"mmlock": {"sealed": True}},
        "packages": [{"name": "p", "tags": []}, {"name": "q"}],
    }
    assert dumps(document) == (
        "# head\n"
        'name = "a \\"b\\""\n'
        "when = 2024-12-04T17:35:28Z\n"
        "files = [\n"
        '    { name = "x", size = 1 },\n'
        '    { name = "y" },\n'
        "]\n"
        "\n"
        "[tool.mmlock]\n"
        "sealed = true\n"
        "\n"
        "[[packages]]\n"
        'name = "p"\n'
        "tags = []\n"
        "\n"
        "[[packages]]\n"
        'name = "q"\n'
    )


def test_a_value_toml_cannot_hold_is_a_bug_told_at_once() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        dumps({"a": None})


def test_faults_are_collected_with_their_paths() -> None:
    root = open_toml('packages = [{ name = 1 }, { name = "b", core = "no" }]', "x.toml")
    for table in root.tables("packages"):
        table.text("name")
        table.flag("core")
    root.table("tool").text("stack")
    with pytest.raises(UsageError) as caught:
        root.check()
    assert caught.value.causes == (
        "`packages[0].name` must be a string",
        "`packages[0].core` is missing; it must be true or false",
        "`packages[1].core` must be true or false",
        "`tool` is missing; it must be a table",
        "`tool.stack` is missing; it must be a string",
    )
    assert caught.value.hints


def test_many_faults_are_cut_short() -> None:
    root = open_toml("", "x.toml")
    for number in range(20):
        root.text(f"key{number}")
    with pytest.raises(UsageError) as caught:
        root.check()
    assert caught.value.causes[-1] == "and 8 more"


def test_text_that_is_no_toml_is_told_with_its_line() -> None:
    with pytest.raises(UsageError) as caught:
        open_toml("a = \n", "x.toml")
    assert "`x.toml` is not TOML" in caught.value.message
    assert "line 1" in caught.value.causes[0]
