"""Unexplained imports are looked for on the index, and only a wheel that holds the module is taken."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from package_index import Index, serving
from solved import facts

from mmlock.core.arguments import SolveArguments
from mmlock.core.artifact import IndexSettings
from mmlock.core.errors import NoAnswer
from mmlock.core.names import PackageName
from mmlock.core.progress import silent
from mmlock.core.project_pins import Guess, PinRole
from mmlock.resolve.loop.guesses import Looked, brings, look_up
from mmlock.resolve.loop.indexes import Indexes
from mmlock.resolve.loop.project_extras import split_extras, with_extras


def wheel(*paths: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in paths:
            archive.writestr(path, "")
    return buffer.getvalue()


def guess(module: str) -> Guess:
    return Guess(module=module, name=PackageName(module.lower()), place=f"train.py:{len(module)}")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    with serving() as index:
        index.files = {
            "einops": {"einops-0.8.1-py3-none-any.whl": wheel("einops/__init__.py")},
            "hydra": {"hydra-2.5-py3-none-any.whl": wheel("bloom/__init__.py")},
            "moved": {
                "moved-1.0-py3-none-any.whl": wheel("moved.py"),
                "moved-2.0-py3-none-any.whl": wheel("renamed.py"),
            },
            "clip": {"clip-0.2.0-py3-none-any.whl": wheel("clip/__init__.py")},
        }
        index.add_sdist("sources", "1.0")
        yield index


def looked(index: Index, *modules: str, offline: bool = False) -> list[Looked]:
    settings = IndexSettings(index_url=index.url)
    with Indexes(index=settings, offline=offline, progress=silent, environ={}) as indexes:
        return [one.looked for one in look_up(facts(), map(guess, modules), indexes)]


def test_the_newest_wheel_must_hold_the_module(index: Index) -> None:
    assert looked(index, "einops", "hydra", "moved") == [Looked.BRINGS, Looked.ANOTHER, Looked.ANOTHER]


def test_sources_alone_and_unknown_and_known_names_are_not_taken(index: Index) -> None:
    assert looked(index, "sources", "nowhere", "clip") == [
        Looked.NO_WHEEL,
        Looked.ABSENT,
        Looked.NAMESAKE,
    ]


def test_without_a_network_nothing_is_claimed(index: Index) -> None:
    assert looked(index, "einops", offline=True) == [Looked.UNREAD]
    assert index.asked == []


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("IPython/core/page.py", True),
        ("IPython.py", True),
        ("IPython.cpython-312-x86_64-linux-gnu.so", True),
        ("ipython-9.data/purelib/IPython/__init__.py", True),
        ("IPython/notes.txt", False),
        ("IPythonic/__init__.py", False),
        ("tests/IPython/__init__.py", False),
    ],
)
def test_a_module_is_a_package_a_file_or_compiled(path: str, *, held: bool) -> None:
    assert brings([path], "IPython") is held


def test_a_guess_is_told_in_the_pins_and_given_up_before_the_lock_is(index: Index) -> None:
    asked = SolveArguments(
        index=IndexSettings(index_url=index.url), guesses=(guess("einops"), guess("nowhere"))
    )
    bare, extras = split_extras(facts(), asked, progress=silent)
    assert [place for place, _ in bare.notes] == ["train.py:7"]
    with_it = with_extras(bare, extras, (), None)
    assert [(pin.text, pin.role) for pin in with_it.pins] == [("einops", PinRole.GUESSED)]
    assert [one.text for one in with_it.requirements] == ["einops"]
    without = with_extras(bare, (), extras, NoAnswer("no"))
    assert (without.requirements, without.pins) == ((), ())
    assert any("einops" in text for _, text in without.notes)
