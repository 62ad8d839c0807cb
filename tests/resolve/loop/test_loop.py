"""The loop between core and closure, with a closer that knows a small world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from closers import OpenWorld
from msgspec.structs import replace
from solved import facts, request

from mmlock.core.errors import EnvironmentFault, NoAnswer
from mmlock.core.extension import Extension, ExtensionRequires, SourceTree
from mmlock.core.names import PackageName, Sha256
from mmlock.core.progress import silent
from mmlock.core.requirements import Asked
from mmlock.core.versions import version
from mmlock.facts.matrix.with_extensions import with_extensions
from mmlock.resolve.closure.model import (
    ClosureAnswer,
    ClosureConflict,
    ClosureRequest,
    NoWheel,
    Unreachable,
)
from mmlock.resolve.loop import loop as deciding
from mmlock.resolve.loop.loop import NoResolution, Resolution, decide
from mmlock.resolve.loop.nogoods import Refusal, picks_of
from mmlock.resolve.loop.refusal import no_answer
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.model import InterpretedRequest


@dataclass
class Picky:
    """An open world in which some questions are refused."""

    refuses: Callable[[ClosureRequest], ClosureConflict | Unreachable | None]
    world: OpenWorld = field(default_factory=OpenWorld)

    def close(self, request: ClosureRequest) -> ClosureAnswer:
        return self.refuses(request) or self.world.close(request)


def asked(*words: str, **more: object) -> InterpretedRequest:
    return interpret(facts(), request(*words, **more))  # type: ignore[arg-type]


def put(
    interpreted: InterpretedRequest,
    closer: OpenWorld | Picky,
    wheelless: Callable[[PackageName, str | None], bool] = lambda *_: False,
) -> Resolution | NoResolution:
    return decide(facts(), interpreted, closer, progress=silent, wheelless=wheelless)


def decided(interpreted: InterpretedRequest, closer: OpenWorld | Picky, **more: object) -> Resolution:
    found = put(interpreted, closer, **more)  # type: ignore[arg-type]
    assert isinstance(found, Resolution)
    return found


def node_of(question: ClosureRequest, name: str) -> str | None:
    return next((node.version for node in question.core if node.name == name), None)


def requires_of(question: ClosureRequest, name: str) -> tuple[str, ...]:
    return next((node.requires for node in question.core if node.name == name), ())


def test_a_closure_that_fits_is_taken_at_once() -> None:
    world = OpenWorld()
    found = decided(asked(gpu="rtx5090"), world)
    assert len(world.asked) == 1
    assert found.refusals == ()
    assert found.solution.python == "3.12"
    assert {"addict", "numpy", "ftfy", "setuptools"} <= {p.name for p in found.closed.packages}
    assert not {p.name for p in found.closed.packages} & {"torch", "mmcv", "mmdet"}


def where(refusal: Refusal) -> dict[str, set[str]]:
    """Slot -> labels of the group in it."""
    return {slot: {label for _, label in group} for group in refusal.groups for slot in {s for s, _ in group}}


@pytest.mark.slow
def test_a_refusal_is_blamed_on_what_requires_it_and_on_the_python() -> None:
    """Something that mmdet requires has no file for Python 3.11: the rest of the core is innocent."""

    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        if question.python == "3.11" and any("pycocotools" in node.requires for node in question.core):
            return ClosureConflict(reason="no pycocotools for 3.11", packages=(PackageName("pycocotools"),))
        return None

    found = decided(asked("mmdet", gpu="t4"), Picky(refuses))
    (refusal,) = found.refusals
    blamed = where(refusal)
    assert blamed["python"] == {"python 3.11"}
    assert set(blamed) == {"python", "mmdet"}
    assert {"mmdet 3.3.0", "mmdet 2.28.2"} <= blamed["mmdet"]
    releases = {r.version: r for r in facts().releases(PackageName("mmdet"))}
    named = facts().names_needed("mmdet")
    assert named is not None
    for release in {label.split()[1] for label in blamed["mmdet"]}:
        declared = "pycocotools" in releases[release].requires
        assert declared or named.binding("pycocotools", release), "it is declared, or imported all the same"
    assert refusal.reason == "no pycocotools for 3.11"
    assert found.solution.python != "3.11"


@pytest.mark.slow
def test_a_refusal_holds_for_all_who_require_the_same_and_for_no_other() -> None:
    """numpy 2 beside a torch that is built for numpy 1: one refusal for 58 builds, then all Pythons."""
    world = OpenWorld({"numpy": {"2.3.0": (), "1.26.4": ()}})
    found = decided(asked("mmdet", "numpy>=2", gpu="rtx3090"), world)
    first, second = found.refusals
    assert set(where(first)) == set(where(second)) == {"python", "torch"}
    builds = where(first)["torch"]
    assert len(builds) > 50
    assert all(version(label.split()[1]) < version("2.3") for label in builds)
    assert len(where(first)["python"]) == 1
    assert len(where(second)["python"]) > 5
    assert version(found.solution.torch.torch) >= version("2.3")


@pytest.mark.slow
def test_what_an_earlier_refusal_rests_on_is_tried_first() -> None:
    """One package has no file for any Python from 3.9 on: the second refusal takes few questions."""
    asked_of: list[str] = []

    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        asked_of.append(question.python)
        new = version(question.python) >= version("3.9")
        if new and any("pycocotools" in node.requires for node in question.core):
            names = (PackageName("pycocotools"), PackageName("torch"), PackageName("mmcv"))
            return ClosureConflict(reason="no file of pycocotools", packages=names)
        return None

    found = decided(asked("mmdet<3", gpu="rtx3090"), Picky(refuses))
    first, second = found.refusals
    newest, one, *_ = dict.fromkeys(asked_of)
    assert where(first)["python"] == {f"python {newest}"}
    assert len(where(second)["python"]) > 2
    assert asked_of.count(one) <= 3 < asked_of.count(newest), "the question, what it rests on, its words"
    assert version(found.solution.python) < version("3.9")


def test_a_version_that_is_refused_shares_the_blame() -> None:
    """Something that mmdet requires does not go with torch 2.4, whatever torch requires itself."""

    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        torch = node_of(question, "torch") or ""
        if any("pycocotools" in node.requires for node in question.core) and torch.startswith("2.4"):
            names = (PackageName("torch"), PackageName("pycocotools"))
            return ClosureConflict(reason="pycocotools needs torch<2.4", packages=names)
        return None

    requested = asked(
        "mmdet==3.3.0", gpu="t4", python="3.11", cuda="12.1", prefer=("newest-torch",), torch="<=2.4.1"
    )
    found = decided(requested, Picky(refuses))
    assert found.refusals
    for one in found.refusals:
        assert set(where(one)) == {"python", "mmdet", "torch"}
        assert all(label.startswith("torch 2.4") for label in where(one)["torch"])
    assert not found.solution.torch.torch.startswith("2.4")


@pytest.mark.slow
def test_other_versions_are_tried_once_one_kind_of_refusal_repeats() -> None:
    """Nothing goes with a torch before 2.10: found in fewer rounds than there are releases."""

    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        torch = node_of(question, "torch")
        if (
            torch
            and version(torch) < version("2.10")
            and any(w.text == "modern" for w in question.requirements)
        ):
            names = (PackageName("torch"), PackageName("modern"))
            return ClosureConflict(reason="modern needs torch>=2.10", packages=names)
        return None

    requested = asked(
        "mmcv", "modern", gpu="rtx3090", torch="<2.12", prefer=("wheels-first", "newest-python")
    )
    found = decided(requested, Picky(refuses))
    assert found.solution.torch.torch.startswith("2.1")
    named = {label.split()[1].split("+")[0] for one in found.refusals for label in where(one)["torch"]}
    assert len(named) > 10 > len(found.refusals)


def test_a_refusal_of_the_users_own_words_is_blamed_on_the_python() -> None:
    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        if any(w.text == "exotic" for w in question.requirements) and question.python == "3.11":
            return ClosureConflict(reason="exotic is for 3.10", packages=(PackageName("exotic"),))
        return None

    found = decided(asked("mmdet", "exotic", gpu="t4"), Picky(refuses))
    (refusal,) = found.refusals
    assert where(refusal) == {"python": {"python 3.11"}}
    assert found.solution.python == "3.10"


@pytest.mark.slow
def test_two_packages_that_only_together_are_refused_share_the_blame() -> None:
    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        lines = {line for node in question.core for line in node.requires}
        if {"pycocotools", "addict"} <= lines and question.python == "3.11":
            return ClosureConflict(reason="they quarrel", packages=(PackageName("x"),))
        return None

    found = decided(asked("mmdet", gpu="t4"), Picky(refuses))
    blamed = where(found.refusals[0])
    assert blamed["python"] == {"python 3.11"}
    assert "mmdet" in blamed
    assert {"mmcv", "mmengine"} & set(blamed)
    assert "torch" not in blamed


@pytest.mark.slow
def test_a_refusal_that_no_part_repeats_is_blamed_on_the_whole_core() -> None:
    once: list[ClosureRequest] = []

    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        once.append(question)
        return ClosureConflict(reason="a hiccup", packages=()) if len(once) == 1 else None

    found = decided(asked("mmdet", gpu="t4"), Picky(refuses))
    (refusal,) = found.refusals
    assert set(where(refusal)) >= {"python", "torch", "mmcv", "mmdet", "mmengine"}


def test_a_cure_that_cannot_be_had_is_blamed_on_what_needs_it() -> None:
    """Without any setuptools below 82, what needs pkg_resources is refused: mmengine, by its breakage."""

    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        if question.python == "3.11" and any(c.text == "setuptools<82" for c in question.constraints):
            return ClosureConflict(reason="no setuptools<82", packages=(PackageName("setuptools"),))
        return None

    found = put(asked("mmengine==0.10.7", gpu="cpu", python="3.11"), Picky(refuses))
    assert isinstance(found, NoResolution)
    (refusal,) = found.refusals
    blamed = where(refusal)
    assert set(blamed) == {"python", "mmengine"}
    assert {"mmengine 0.10.7", "mmengine 0.1.0"} <= blamed["mmengine"]
    assert "mmengine 0.11.0rc3" not in blamed["mmengine"]  # it imports distutils, not pkg_resources


def test_what_is_always_refused_ends_with_the_reason() -> None:
    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        if any(w.text == "impossible" for w in question.requirements):
            return ClosureConflict(reason="impossible has no version", packages=(PackageName("impossible"),))
        return None

    interpreted = asked("torch==2.1.2", "impossible", gpu="t4", python="3.11")
    found = put(interpreted, Picky(refuses))
    assert isinstance(found, NoResolution)
    assert len(found.rows.nogoods) == len(found.refusals) == 1
    error = no_answer(facts(), interpreted, found)
    assert isinstance(error, NoAnswer)
    assert error.exit_code == 1
    assert any("impossible has no version" in cause for cause in error.causes)


def test_a_bound_that_the_closure_refuses_stands_in_the_headline() -> None:
    """Without its wheel for a new Python nothing would be wrong with the card."""

    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        if any(w.text == "onnx==1.7.0" for w in question.requirements) and question.python != "3.8":
            return ClosureConflict(reason="onnx 1.7.0 has no wheels", packages=(PackageName("onnx"),))
        return None

    interpreted = asked("torch", "numpy", "onnx==1.7.0", gpu="rtx5090")
    found = put(interpreted, Picky(refuses))
    assert isinstance(found, NoResolution)
    error = no_answer(facts(), interpreted, found)
    assert "`--gpu rtx5090`" in error.message
    assert "`onnx==1.7.0`" in error.message
    assert "numpy" not in error.message


def test_a_package_nobody_has_ends_the_search_at_once() -> None:
    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        if any(w.text == "frobnicate" for w in question.requirements):
            name = PackageName("frobnicate")
            return ClosureConflict(reason="nobody has it", packages=(name,), unknown=(name,))
        return None

    with pytest.raises(NoAnswer) as caught:
        put(asked("mmdet", "frobnicate", gpu="t4"), Picky(refuses))
    assert "`frobnicate` is not on the package index" in caught.value.message


def test_the_search_gives_up_after_a_bounded_number_of_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "ROUNDS", 2)

    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        torch = node_of(question, "torch")
        return (
            ClosureConflict(reason=f"not with {torch}", packages=(PackageName("torch"),)) if torch else None
        )

    with pytest.raises(NoAnswer) as caught:
        put(asked("mmdet", gpu="t4"), Picky(refuses))
    assert "gave up after 2 combinations" in caught.value.message
    (cause,) = caught.value.causes
    assert cause.startswith("python 3.11 with torch 2.1.2")
    assert "like it) with torch 2.1" in cause
    assert cause.endswith("not with 2.1.2")


def test_a_core_package_that_an_ordinary_one_needs_is_decided_by_the_core() -> None:
    world = OpenWorld({"timm": {"1.0.0": ("torch", "torchvision"), "0.9.0": ("torch", "torchvision")}})
    found = decided(asked("torch==2.1.2", "timm", gpu="t4", python="3.11"), world)
    vision = found.solution.picked["torchvision"]
    assert vision.version == "0.16.2"
    assert len(world.asked) == 2
    assert any(ask.name == "torchvision (required by timm)" for ask in found.rows.user_constraints)
    assert "torchvision" not in {p.name for p in found.closed.packages}
    assert node_of(world.asked[-1], "torchvision") == "0.16.2"


OPENMIM = {"0.3.9": (), "0.3.8": ()}


@pytest.mark.slow
def test_a_breakage_that_names_an_ordinary_package_is_heeded_once_it_is_there() -> None:
    """openmim 0.3.9 fails on Python 3.12: the first answer had it, the next avoids the Python."""
    world = OpenWorld({"tools": {"1.0": ("openmim",)}, "openmim": OPENMIM})
    requested = asked("mmdet==3.3.0", "tools", gpu="rtx5090")
    assert decided(asked("mmdet==3.3.0", gpu="rtx5090"), OpenWorld()).solution.python == "3.12"
    found = decided(requested, world)
    assert found.solution.python == "3.11"
    cured = {b.breakage.id for b in found.solution.cured}
    assert "openmim-pkg-resources" in cured


@pytest.mark.parametrize(
    ("pin", "python", "rounds"),
    [("", "3.11", 2), ("==0.3.9", "3.11", 1), ("==0.3.8", "3.12", 1), ("<0.3.9", "3.12", 1)],
)
def test_the_version_of_an_ordinary_package_decides(pin: str, python: str, rounds: int) -> None:
    """Only 0.3.9 fails on Python 3.12. What is pinned counts from the start."""
    world = OpenWorld({"openmim": OPENMIM})
    found = decided(asked("mmdet==3.3.0", f"openmim{pin}", gpu="rtx5090"), world)
    assert found.solution.python == python
    assert len(world.asked) == rounds
    assert not [b for b in found.solution.broken if b.breakage.id == "openmim-py312"]


@pytest.mark.slow
def test_what_a_package_brings_on_one_python_is_not_held_against_another() -> None:
    """On Python 3.12 tools brings the openmim that fails there; on 3.11 it brings none."""
    needs = ("openmim; python_version >= '3.12'",)
    world = OpenWorld({"tools": {"1.0": needs}, "openmim": OPENMIM})
    found = decided(asked("mmdet==3.3.0", "tools", gpu="rtx5090"), world)
    assert found.solution.python == "3.11"
    assert not [b for b in found.solution.cured if b.breakage.id == "openmim-pkg-resources"]
    assert "openmim" not in {package.name for package in found.closed.packages}


def test_a_breakage_that_a_choice_was_thought_to_have_and_has_not_is_not_told() -> None:
    """openmim comes with the first torch only, and that one is refused once openmim is cured."""

    class Moody(OpenWorld):
        first: str | None = None

        def close(self, request: ClosureRequest) -> ClosureAnswer:
            torch = node_of(request, "torch")
            self.first = self.first or torch
            with_it = torch == self.first
            if with_it and any(one.via == "openmim-pkg-resources" for one in request.constraints):
                return ClosureConflict(reason="no", packages=(PackageName("torch"),))
            self.world = {"tools": {"1.0": ("openmim",) if with_it else ()}, "openmim": {"0.3.8": ()}}
            return super().close(request)

    world = Moody()
    found = decided(asked("torch", "tools", gpu="rtx5090", python="3.12"), world)
    assert world.first
    assert node_of(world.asked[-1], "torch") != world.first
    assert "openmim-pkg-resources" not in {b.breakage.id for b in found.solution.cured}
    assert "openmim" not in {package.name for package in found.closed.packages}


def test_one_flavour_of_opencv_is_kept_where_another_package_asks_for_the_other() -> None:
    world = OpenWorld({"albumentations": {"1.4": ("opencv-python-headless>=4.9",)}})
    found = decided(asked("mmdet==3.3.0", "albumentations", gpu="rtx5090"), world)
    names = {package.name for package in found.closed.packages}
    assert "opencv-python" in names
    assert "opencv-python-headless" not in names
    assert len(world.asked) == 2


def test_the_flavour_of_opencv_that_holds_most_is_kept() -> None:
    needs = ("opencv-contrib-python", "opencv-python-headless")
    world = OpenWorld({"sift": {"1.0": needs}})
    found = decided(asked("mmdet==3.3.0", "sift", gpu="rtx5090"), world)
    flavours = {package.name for package in found.closed.packages if package.name.startswith("opencv")}
    assert flavours == {"opencv-contrib-python"}


def test_sources_are_taken_where_no_wheel_exists_anywhere() -> None:
    world = OpenWorld(only_sources=frozenset({"future-fstrings"}))
    seen: list[tuple[str, str | None]] = []

    def wheelless(name: PackageName, version: str | None) -> bool:
        seen.append((name, version))
        return True

    found = decided(asked("mmengine", "future_fstrings", gpu="cpu"), world, wheelless=wheelless)
    assert set(seen) == {("future-fstrings", "2024.1.0"), ("future-fstrings", None)}
    assert world.asked[-1].allow_sdist == ("future-fstrings",)
    assert world.asked[-1].wheelless == ("future-fstrings",)
    (package,) = [p for p in found.closed.packages if p.name == "future-fstrings"]
    assert not package.files[0].is_wheel
    assert found.refusals == ()


def test_sources_are_not_taken_where_wheels_exist_for_others() -> None:
    world = OpenWorld(only_sources=frozenset({"native"}))
    found = put(asked("mmengine", "native", gpu="cpu", python="3.11", torch="==2.1.2"), world)
    assert isinstance(found, NoResolution)
    assert all(question.allow_sdist == () for question in world.asked)
    assert found.refusals[0].reason.endswith("has no usable wheels")


def test_a_python_on_which_only_sources_lack_is_reached() -> None:
    """On new Pythons a package has no wheel; on older ones another has sources alone, which will do."""

    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        if question.python not in {"3.10", "3.11"}:
            return ClosureConflict(reason="`wheeled` has no wheels", packages=(PackageName("wheeled"),))
        if "bare" not in question.allow_sdist:
            bare = NoWheel(name=PackageName("bare"), version="1.0")
            return ClosureConflict(reason="`bare` has no wheels", packages=(bare.name,), no_wheels=(bare,))
        return None

    found = decided(
        asked("torch", "wheeled", "bare", gpu="rtx3090"),
        Picky(refuses),
        wheelless=lambda name, _: name == "bare",
    )
    assert found.solution.python == "3.11"


def test_sources_whose_build_fails_end_the_search_with_the_way_to_the_package() -> None:
    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        del question
        one = NoWheel(name=PackageName("torch-scatter"), version="2.1.2")
        return ClosureConflict(reason="no torch", packages=(one.name,), unbuilt=(one,))

    with pytest.raises(NoAnswer) as caught:
        put(asked("torch", "torch-scatter", gpu="rtx3090"), Picky(refuses))
    assert "sources only" in caught.value.message
    assert "data.pyg.org" in caught.value.hints[0]


def test_sources_that_would_do_are_a_hint() -> None:
    name = PackageName("native")

    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        told = any(w.text == "native" for w in question.requirements)
        return ClosureConflict(reason="no wheel", packages=(name,), wheels_only=(name,)) if told else None

    requested = asked("mmengine", "native", gpu="cpu", python="3.11")
    found = put(requested, Picky(refuses))
    assert isinstance(found, NoResolution)
    error = no_answer(facts(), requested, found)
    assert error.hints[0] == "`--allow-sdist native` allows `native` to be built from source"


def test_the_closure_prefers_what_a_guide_names_over_what_a_snapshot_holds() -> None:
    def names(*versions: tuple[str, str]) -> tuple[Asked, ...]:
        return tuple(Asked(name=PackageName(name), specifier=f"=={text}") for name, text in versions)

    snapshot, advice = names(("six", "1.15.0"), ("timm", "0.4.12")), names(("timm", "0.6.11"))
    world = OpenWorld()
    decided(asked("torch", "six", "timm", gpu="rtx5090", snapshot=snapshot, advice=advice), world)
    assert world.asked[-1].preferences == (("six", "1.15.0"), ("timm", "0.6.11"))


def test_versions_of_an_existing_lock_reach_the_core_and_the_closure() -> None:
    kept = ((PackageName("torch"), "2.8.0"), (PackageName("six"), "1.15.0"))
    requested = asked("torchvision", "six", gpu="rtx5090", preferences=kept)
    world = OpenWorld()
    first, again = decided(requested, world), decided(requested, OpenWorld())
    assert first.solution.torch.torch == "2.8.0"
    assert world.asked[-1].preferences == tuple(sorted(kept))
    assert first.closed == again.closed
    assert picks_of(first.solution.picked.values()) == picks_of(again.solution.picked.values())
    newest = decided(asked("torchvision", "six", gpu="rtx5090"), OpenWorld())
    assert newest.solution.torch.torch != "2.8.0"


def test_what_the_user_allows_is_handed_on() -> None:
    world = OpenWorld(only_sources=frozenset({"native"}))
    found = decided(asked("mmengine", "native", gpu="cpu", allow_sdist=("native",)), world)
    assert found.refusals == ()


@pytest.mark.parametrize(("offline", "hint"), [(True, "once without `--offline`"), (False, "`--index-url`")])
def test_an_index_that_cannot_be_asked_is_the_surroundings_fault(*, offline: bool, hint: str) -> None:
    away = Picky(lambda _: Unreachable(reason="no route to host", offline=offline))
    with pytest.raises(EnvironmentFault) as caught:
        put(asked("mmengine", gpu="cpu"), away)
    assert caught.value.causes == ("no route to host",)
    assert any(hint in line for line in caught.value.hints)
    assert caught.value.exit_code == 2


def test_the_question_carries_the_users_words() -> None:
    world = OpenWorld()
    requested = asked(
        "mmengine",
        "einops>=0.6",
        gpu="cpu",
        constraints=["numpy<2"],
        exclude_newer="2026-01-31",
        offline=True,
    )
    decided(requested, world)
    (question,) = world.asked
    assert "einops>=0.6" in [w.text for w in question.requirements]
    assert "numpy<2" in [c.text for c in question.constraints]
    assert (question.exclude_newer, question.offline) == ("2026-01-31", True)


def test_the_same_request_is_decided_alike_twice() -> None:
    requested = asked(gpu="rtx5090")
    first, second = decided(requested, OpenWorld()), decided(requested, OpenWorld())
    assert first.closed == second.closed
    assert first.solution == second.solution
    assert replace(first, rows=second.rows) == second


# ---------------------------------------------------------------- extensions of the user's own tree


def with_own(name: str, *requires: str, gpu: str = "cpu") -> Resolution | NoResolution:
    """The answer for a request that names an extension, and the facts with it."""
    own = Extension(
        name=PackageName(name),
        version="1.0",
        tree=SourceTree(path="ops", sha256=Sha256("0" * 64), files=1),
        modules=("own_ops",),
        requires=ExtensionRequires(lines=requires),
    )
    matrix = with_extensions(facts(), [own])
    found = interpret(matrix, request(gpu=gpu))
    return decide(matrix, found, OpenWorld(), progress=silent, wheelless=lambda *_: False)


@pytest.mark.slow
def test_what_an_extension_requires_is_decided_and_closed() -> None:
    found = with_own("own-ops", "torchvision", "einops")
    assert isinstance(found, Resolution)
    assert {"torchvision", "own-ops"} <= {option.package for option in found.solution.packages()}
    assert "einops" in {package.name for package in found.closed.packages}


@pytest.mark.slow
def test_an_extension_for_gpus_alone_says_so_where_there_is_none() -> None:
    name = PackageName("multiscaledeformableattention")
    found = with_own(name)
    assert isinstance(found, NoResolution)
    (ask,) = [ask for ask in found.rows.user_constraints if ask.name == "--extension ops"]
    assert ask.available.startswith("recipe `msda-cuda` supports cuda only; it has no kernels for cpu")
    assert ask.hint == "its kernels need cuda: choose such a device with `--gpu`"
    assert isinstance(with_own(name, gpu="rtx4090"), Resolution)


def test_a_package_that_only_the_core_has_wheels_of_is_decided_there() -> None:
    # Of torch-scatter PyPI has sources alone, which no closure can take; PyG's own index has wheels.
    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        if node_of(question, "torch-scatter") is None:
            return ClosureConflict(
                reason="Failed to build `torch-scatter==2.1.2`", packages=(PackageName("torch-scatter"),)
            )
        return None

    found = decided(asked("einops", gpu="a100"), Picky(refuses))
    assert {str(option.package) for option in found.solution.packages()} == {"torch", "torch-scatter"}


def test_a_sibling_of_what_fills_the_module_is_not_asked_of_the_core() -> None:
    # mmcv-full and mmcv are one module: a refusal that names both must not ask for both.
    def refuses(question: ClosureRequest) -> ClosureConflict | None:
        if node_of(question, "mmcv") == "2.2.0":
            return ClosureConflict(
                reason="mmcv-full is not mmcv", packages=(PackageName("mmcv"), PackageName("mmcv-full"))
            )
        return None

    found = decided(asked("mmcv", gpu="a100"), Picky(refuses))
    assert "mmcv-full" not in {str(option.package) for option in found.solution.packages()}


@pytest.mark.slow
def test_names_that_an_ordinary_package_would_not_find_bound_the_closure() -> None:
    """imgaug 0.4.0 uses np.sctypes, which numpy 2.0 removed: the closure is asked again with a bound."""
    world = OpenWorld(world={"imgaug": {"0.4.0": ("numpy",)}, "numpy": {"2.3.5": (), "1.26.4": ()}})
    found = decided(asked("mmocr", gpu="rtx5090"), world)
    assert [one.provider for one in found.name_bounds] == ["numpy"]
    assert [item.text for item in world.asked[-1].constraints if item.via == "imgaug 0.4.0"] == ["numpy<2.0"]
