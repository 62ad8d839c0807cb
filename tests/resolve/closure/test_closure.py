"""Closures found by the real uv over a real socket."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from packaging.pylock import Pylock

from mmlock.core.artifact import IndexSettings
from mmlock.core.names import PackageName, Platform
from mmlock.net.fetching import FetchProblem
from mmlock.resolve.closure import uv_closure
from mmlock.resolve.closure.closer import UvCloser
from mmlock.resolve.closure.model import Closed, ClosureAnswer, ClosureConflict, CoreNode, Unreachable
from mmlock.resolve.closure.uv import UvRun

if TYPE_CHECKING:
    from package_index import Index, MakeQuestion


def pins(answer: ClosureAnswer) -> dict[str, str]:
    assert isinstance(answer, Closed), answer
    return {package.name: package.version for package in answer.packages}


def test_the_core_bounds_the_rest_and_is_not_in_the_answer(
    index: Index, ask: MakeQuestion, closer: UvCloser, torch: CoreNode
) -> None:
    index.add("numpy", "1.26.4")
    index.add("numpy", "2.0.0")
    index.add("filelock", "3.0")
    index.add("vision", "1.0", "torch>=2", "numpy")
    answer = closer.close(ask("vision", core=(torch,)))
    assert pins(answer) == {"filelock": "3.0", "numpy": "1.26.4", "vision": "1.0"}
    assert not any("torch" in path for path in index.asked)
    assert answer.engine.startswith("uv ")
    assert {package.name: package.via for package in answer.packages} == {
        "filelock": ("torch",),
        "numpy": ("torch", "vision"),
        "vision": ("the request",),
    }


def test_hashes_and_urls_come_from_the_index(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.add("six", "1.0")
    answer = closer.close(ask("six"))
    (file,) = answer.packages[0].files
    assert file.name == "six-1.0-py3-none-any.whl"
    assert file.url == index.url.replace("/simple", "/files/six/six-1.0-py3-none-any.whl")
    assert file.sha256 is not None
    assert len(file.sha256) == 64


@pytest.mark.parametrize(("python", "expected"), [("3.8", {"a", "old"}), ("3.12", {"a", "new"})])
def test_markers_are_the_targets(
    index: Index, ask: MakeQuestion, closer: UvCloser, python: str, expected: set[str]
) -> None:
    index.add("a", "1", 'old; python_version<"3.10"', 'new; python_version>="3.10"', 'w; os_name=="nt"')
    for name in ("old", "new", "w"):
        index.add(name, "1")
    assert set(pins(closer.close(ask("a", python=python)))) == expected


@pytest.mark.slow
def test_extras_bring_their_requirements(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.add("a", "1", 'b; extra == "more"')
    index.add("b", "1")
    assert set(pins(closer.close(ask("a")))) == {"a"}
    assert set(pins(closer.close(ask("a[more]")))) == {"a", "b"}


def test_an_extra_of_a_core_node_counts(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.add("b", "1")
    core = CoreNode(name=PackageName("mmdet"), version="3.3.0", requires=('b; extra == "mim"',))
    assert set(pins(closer.close(ask(core=(core,))))) == set()
    assert set(pins(closer.close(ask("mmdet[mim]", core=(core,))))) == {"b"}


def test_wheels_are_those_of_the_target_best_first(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    for tag in (
        "py3-none-any",
        "cp38-cp38-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp38-cp38-manylinux_2_28_x86_64",
        "cp38-cp38-manylinux_2_35_x86_64",
        "cp37-abi3-manylinux1_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp38-cp38-win_amd64",
    ):
        index.add("fast", "1", tag=tag)
    answer = closer.close(ask("fast", python="3.8"))
    assert [file.name.removeprefix("fast-1-") for file in answer.packages[0].files] == [
        "cp38-cp38-manylinux_2_28_x86_64.whl",
        "cp38-cp38-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "cp37-abi3-manylinux1_x86_64.whl",
        "py3-none-any.whl",
    ]


@pytest.mark.parametrize(
    "case",
    [
        (Platform.LINUX_X86_64, "2.27", "cp312-cp312-manylinux_2_17_x86_64"),
        (Platform.LINUX_AARCH64, "2.35", "cp312-cp312-manylinux_2_35_aarch64"),
        (Platform.WINDOWS_X86_64, None, "cp312-cp312-win_amd64"),
        (Platform.MACOS_ARM64, None, "cp312-cp312-macosx_14_0_arm64"),
        (Platform.MACOS_X86_64, None, "cp312-cp312-macosx_10_15_x86_64"),
    ],
)
def test_every_platform_is_asked_for_in_words_uv_takes(
    index: Index, ask: MakeQuestion, closer: UvCloser, case: tuple[Platform, str | None, str]
) -> None:
    platform, glibc, tag = case
    index.add("fast", "1", tag=tag)
    index.add("fast", "2", tag="cp312-cp312-manylinux_2_39_x86_64")
    answer = closer.close(ask("fast", platform=platform, glibc=glibc))
    assert pins(answer) == {"fast": "1"}


def test_a_conflict_names_the_core_node(
    index: Index, ask: MakeQuestion, closer: UvCloser, torch: CoreNode
) -> None:
    index.add("numpy", "1.26.4")
    index.add("numpy", "2.0.0")
    index.add("filelock", "3.0")
    index.add("modern", "1.0", "numpy>=2")
    answer = closer.close(ask("modern", core=(torch,)))
    assert isinstance(answer, ClosureConflict)
    assert "torch==2.1.2+cpu depends on numpy<2" in answer.reason
    assert "modern" in answer.reason
    assert "file://" not in answer.reason
    assert "No solution found" not in answer.reason
    assert answer.packages == ("modern", "numpy", "torch")


@pytest.mark.slow
def test_a_bound_on_the_core_is_checked_with_its_local_version(
    index: Index, ask: MakeQuestion, closer: UvCloser, torch: CoreNode
) -> None:
    index.add("numpy", "1.26.4")
    index.add("filelock", "3.0")
    index.add("exact", "1", "torch==2.1.2")
    assert "exact" in pins(closer.close(ask("exact", core=(torch,))))
    index.add("newer", "1", "torch>=2.2")
    answer = closer.close(ask("newer", core=(torch,)))
    assert isinstance(answer, ClosureConflict)
    assert "mmlock chose torch==2.1.2+cpu" in answer.reason
    assert "torch" in answer.packages


def test_two_core_nodes_that_exclude_each_other_are_refused(ask: MakeQuestion, closer: UvCloser) -> None:
    core = (
        CoreNode(name=PackageName("mmcv"), version="2.2.0", requires=()),
        CoreNode(name=PackageName("mmdet"), version="3.3.0", requires=("mmcv<2.2.0",)),
    )
    answer = closer.close(ask(core=core))
    assert isinstance(answer, ClosureConflict)
    assert set(answer.packages) == {"mmcv", "mmdet"}


def test_constraints_bind_without_adding(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.add("a", "1")
    index.add("a", "2")
    assert pins(closer.close(ask("a", constraints=("a<2", "never-asked<1")))) == {"a": "1"}


@pytest.mark.slow
def test_versions_of_an_existing_lock_are_kept_where_they_fit(
    index: Index, ask: MakeQuestion, closer: UvCloser, torch: CoreNode
) -> None:
    for release in ("1.0", "1.1", "2.0"):
        index.add("six", release)
        index.add("idna", release)
    index.add("needs", "1", "idna>=1.1")
    torch = replace(torch, requires=())
    kept = tuple(
        (PackageName(name), text)
        for name, text in {
            "six": "1.0",
            "idna": "1.0",
            "gone": "3",
            "torch": "9.9",
            "odd": "no version",
        }.items()
    )
    question = ask("six", "idna", core=(torch,), preferences=kept)
    assert pins(closer.close(question)) == {"idna": "1.0", "six": "1.0"}
    assert pins(closer.close(replace(question, preferences=()))) == {"idna": "2.0", "six": "2.0"}
    bounded = ask("six", "needs", core=(torch,), preferences=kept)
    assert pins(closer.close(bounded)) == {"idna": "2.0", "needs": "1", "six": "1.0"}


def test_a_dropped_package_is_not_resolved(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.add("a", "1", "chumpy", "b")
    index.add("b", "1", "chumpy>=9")
    assert pins(closer.close(ask("a", drop=("chumpy",)))) == {"a": "1", "b": "1"}
    assert not any("chumpy" in path for path in index.asked)


def test_an_index_without_hashes_gives_hashes_of_what_uv_read(
    index: Index, ask: MakeQuestion, closer: UvCloser
) -> None:
    index.hashes = False
    index.add("six", "1.0")
    (package,) = closer.close(ask("six")).packages
    assert package.files[0].sha256 is not None
    assert any(path.endswith(".whl") for path in index.asked)


def test_a_package_with_sources_only_is_refused(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.add_sdist("antlr", "4.9.3", "six")
    index.add("six", "1")
    answer = closer.close(ask("antlr"))
    assert isinstance(answer, ClosureConflict)
    assert answer.packages == ("antlr",)
    assert "no usable wheels" in answer.reason
    assert "--no-build" not in answer.reason
    assert [one.name for one in answer.no_wheels] == ["antlr"]
    assert answer.wheels_only == ("antlr",)


@pytest.mark.slow
def test_sources_that_are_allowed_are_read_but_not_built(
    index: Index, ask: MakeQuestion, closer: UvCloser
) -> None:
    index.add_sdist("antlr", "4.9.3", "six")
    index.add("six", "1")
    answer = closer.close(ask("antlr", allow_sdist=("antlr",)))
    assert pins(answer) == {"antlr": "4.9.3", "six": "1"}
    (file,) = answer.packages[0].files
    assert file.name == "antlr-4.9.3.tar.gz"
    assert not file.is_wheel


@pytest.mark.slow
def test_a_wheel_is_better_than_allowed_sources(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.add("antlr", "4.8")
    index.add_sdist("antlr", "4.9.3")
    index.add("needs", "1", "antlr")
    index.add_sdist("other", "1")
    allowed = ("antlr", "other")
    assert pins(closer.close(ask("needs", allow_sdist=allowed))) == {"antlr": "4.8", "needs": "1"}
    answer = closer.close(ask("needs", "other", "antlr>4.8", allow_sdist=allowed))
    assert pins(answer) == {"antlr": "4.9.3", "needs": "1", "other": "1"}
    assert [package.files[0].is_wheel for package in answer.packages] == [False, True, False]


def test_a_requirement_uv_cannot_read_is_refused(ask: MakeQuestion, closer: UvCloser) -> None:
    answer = closer.close(ask("six==="))
    assert isinstance(answer, ClosureConflict)
    assert "six===" in answer.reason


def test_a_package_nobody_has_is_refused_by_name(ask: MakeQuestion, closer: UvCloser) -> None:
    answer = closer.close(ask("no-such-thing"))
    assert isinstance(answer, ClosureConflict)
    assert answer.packages == answer.unknown == ("no-such-thing",)


def test_free_threaded_python_takes_no_wheel_of_the_other_build(
    index: Index, ask: MakeQuestion, closer: UvCloser
) -> None:
    index.add("fast", "1", tag="cp313-cp313-manylinux_2_17_x86_64")
    index.add("pure", "1")
    answer = closer.close(ask("fast", python="3.13t"))
    assert isinstance(answer, ClosureConflict)
    assert answer.packages == ("fast",)
    assert pins(closer.close(ask("pure", python="3.13t"))) == {"pure": "1"}


# ---------------------------------------------------------------- surroundings


def test_a_server_error_is_no_refusal(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.pages["broken"] = (500, b"oops")
    answer = closer.close(ask("broken"))
    assert isinstance(answer, Unreachable)
    assert "500" in answer.reason
    assert not answer.offline


def test_a_closed_port_is_no_refusal(ask: MakeQuestion, closer: UvCloser) -> None:
    request = replace(ask("six"), index=IndexSettings(index_url="http://127.0.0.1:9/simple"))
    answer = closer.close(request)
    assert isinstance(answer, Unreachable)
    assert "127.0.0.1:9" in answer.reason


def test_a_denied_index_is_no_refusal(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.pages["private"] = (401, b"who are you?")
    answer = closer.close(ask("private"))
    assert isinstance(answer, Unreachable)
    assert "401" in answer.reason


@pytest.mark.slow
def test_a_page_that_is_no_index_is_no_refusal(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.pages["six"] = (200, b"<html><title>Sign in</title><form><input type=password></form></html>")
    answer = closer.close(ask("six"))
    assert isinstance(answer, Unreachable)
    assert "login page" in answer.reason


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text/html", ""])
@pytest.mark.parametrize("extra", [False, True])
def test_an_index_that_redirects_for_ever_is_no_refusal(
    index: Index,
    ask: MakeQuestion,
    closer: UvCloser,
    kind: str,
    extra: bool,  # noqa: FBT001
) -> None:
    """uv takes the page of one redirect too many for an index page without files."""
    index.redirects["six"] = "/simple/six/"
    index.kind = kind
    settings = IndexSettings(index_url=index.url)
    if extra:
        other = index.url.replace("/simple", "/other")
        settings = IndexSettings(index_url=other, extra_index_urls=(f"team={index.url}",))
    answer = closer.close(replace(ask("six"), index=settings))
    assert isinstance(answer, Unreachable)
    assert answer.problem is FetchProblem.REDIRECTS
    assert "redirected more than 10 times" in answer.reason


def test_an_index_that_denies_what_no_other_has_is_no_refusal(
    index: Index, ask: MakeQuestion, closer: UvCloser
) -> None:
    index.pages["six"] = (403, b"no")
    answer = closer.close(ask("six"))
    assert isinstance(answer, Unreachable)
    assert answer.problem is FetchProblem.DENIED


def test_a_package_that_is_nowhere_is_a_refusal(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    assert isinstance(closer.close(ask("six")), ClosureConflict)
    assert len(index.asked) == 1


@pytest.mark.parametrize("broken", [(500, b""), (200, b"cut")])
def test_sources_that_cannot_be_downloaded_are_no_refusal(
    index: Index, ask: MakeQuestion, closer: UvCloser, broken: tuple[int, bytes]
) -> None:
    index.add_sdist("old", "1")
    index.broken["old-1.tar.gz"] = broken
    answer = closer.close(ask("old", allow_sdist=(PackageName("old"),)))
    assert isinstance(answer, Unreachable)


def test_an_empty_index_page_is_a_refusal(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.pages["six"] = (200, b"<!DOCTYPE html><html><body><h1>Links for six</h1></body></html>")
    assert isinstance(closer.close(ask("six")), ClosureConflict)


@pytest.mark.parametrize("url", ["htp://x/simple", "nowhere/at/all", "http://"])
def test_an_index_that_no_tool_could_read_is_said_to_be(
    ask: MakeQuestion, closer: UvCloser, url: str
) -> None:
    answer = closer.close(replace(ask("six"), index=IndexSettings(index_url=url)))
    assert isinstance(answer, Unreachable)
    assert url in answer.reason


def test_passwords_are_not_told(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.pages["six"] = (500, b"")
    url = index.url.replace("http://", "http://user:secret@")
    answer = closer.close(replace(ask("six"), index=IndexSettings(index_url=url)))
    assert isinstance(answer, Unreachable)
    assert "secret" not in answer.reason


def test_files_of_an_index_with_a_password_are_named_without_it(
    index: Index, ask: MakeQuestion, closer: UvCloser
) -> None:
    index.add("six", "1")
    url = index.url.replace("http://", "http://user:secret@")
    answer = closer.close(replace(ask("six"), index=IndexSettings(index_url=url)))
    assert "secret" not in answer.packages[0].files[0].url


def test_without_uv_the_question_cannot_be_put(
    ask: MakeQuestion, environ: dict[str, str], tmp_path: Path
) -> None:
    answer = UvCloser(environ=environ | {"MMLOCK_UV": str(tmp_path / "no-uv")}).close(ask("six"))
    assert isinstance(answer, Unreachable)
    assert "MMLOCK_UV" in answer.reason


@pytest.mark.slow
def test_offline_with_nothing_cached_says_so(
    index: Index, ask: MakeQuestion, environ: dict[str, str], tmp_path: Path
) -> None:
    index.add("six", "1")
    cold = UvCloser(environ=environ | {"UV_CACHE_DIR": str(tmp_path / "cold")})
    answer = cold.close(ask("six", offline=True))
    assert isinstance(answer, Unreachable)
    assert answer.offline
    assert index.asked == []


def test_offline_uses_what_uv_has_cached(
    index: Index, ask: MakeQuestion, environ: dict[str, str], tmp_path: Path
) -> None:
    index.add("six", "1")
    assert pins(UvCloser(environ=environ).close(ask("six"))) == {"six": "1"}
    before = len(index.asked)
    other = UvCloser(environ=environ | {"MMLOCK_CACHE_DIR": str(tmp_path / "other")})
    answer = other.close(ask("six", offline=True))
    assert pins(answer) == {"six": "1"}
    assert not answer.from_cache
    assert len(index.asked) == before


def test_settings_of_uv_that_change_the_answer_are_not_heard(
    index: Index, ask: MakeQuestion, environ: dict[str, str], tmp_path: Path
) -> None:
    index.add("a", "1")
    index.add("a", "2")
    (tmp_path / "only-old.txt").write_text("a<2\n")
    loud = {"UV_RESOLUTION": "lowest", "UV_CONSTRAINT": str(tmp_path / "only-old.txt"), "UV_OFFLINE": "1"}
    assert pins(UvCloser(environ=environ | loud).close(ask("a"))) == {"a": "2"}


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"])
def test_the_index_of_the_environment_is_used(
    index: Index, ask: MakeQuestion, environ: dict[str, str], name: str
) -> None:
    index.add("only-here-7f3a", "1")
    request = replace(ask("only-here-7f3a"), index=IndexSettings())
    nowhere = {} if name != "PIP_EXTRA_INDEX_URL" else {"PIP_INDEX_URL": index.url.replace("simple", "empty")}
    answer = UvCloser(environ=environ | nowhere | {name: index.url}).close(request)
    assert pins(answer) == {"only-here-7f3a": "1"}


def test_progress_names_the_packages(index: Index, ask: MakeQuestion, environ: dict[str, str]) -> None:
    index.add("a", "1", "b")
    index.add("b", "1")
    said: list[str] = []
    UvCloser(environ=environ, progress=said.append).close(ask("a"))
    assert any(" a " in line for line in said)
    assert any(" b " in line for line in said)


def test_our_reading_of_the_lock_is_that_of_packaging(
    index: Index, ask: MakeQuestion, closer: UvCloser, monkeypatch: pytest.MonkeyPatch
) -> None:
    tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")

    index.add("a", "1", "b")
    index.add("b", "1", tag="cp312-cp312-manylinux_2_17_x86_64")
    index.add("b", "1")
    kept: list[UvRun] = []

    def spy(*args: object, **options: object) -> UvRun:
        kept.append(real(*args, **options))  # type: ignore[arg-type]
        return kept[-1]

    real = uv_closure.run_uv
    monkeypatch.setattr(uv_closure, "run_uv", spy)
    answer = closer.close(ask("a"))
    theirs = Pylock.from_dict(tomllib.loads(kept[0].out.decode()))
    assert {package.name: str(package.version) for package in theirs.packages} == pins(answer)
    by_hash = {wheel.hashes["sha256"] for package in theirs.packages for wheel in package.wheels or ()}
    assert by_hash == {file.sha256 for package in answer.packages for file in package.files}
