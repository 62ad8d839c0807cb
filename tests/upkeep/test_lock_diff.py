"""What differs between two locks."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from mmlock.core.names import Sha256
from mmlock.lock.read import read_lock
from mmlock.upkeep.lock_diff import LockChange, LockChangeKind, diff_lines, diff_locks

LOCKS = Path(__file__).parents[2] / "lockfiles" / "openmmlab"


def kinds(changes: tuple[LockChange, ...]) -> dict[str, LockChangeKind]:
    return {one.name: one.kind for one in changes}


def test_a_lock_does_not_differ_from_itself_nor_by_what_it_says() -> None:
    env = read_lock(LOCKS / "rtx5090")
    said = replace(env, findings=(), objectives=(), matrix_digest="0" * 64, verdict=None)
    found = diff_locks(env, said)
    assert not found.differs
    assert list(diff_lines(found)) == ["the locks install the same"]


def test_packages_steps_target_and_variables_are_compared() -> None:
    old = read_lock(LOCKS / "rtx5090")
    first, second, third, *rest = old.packages
    file = replace(third.files[0], sha256=Sha256("0" * 64))
    new = replace(
        old,
        python="3.11",
        packages=(
            replace(first, name="brand-new"),
            replace(second, version="99"),
            replace(third, files=(file,)),
            *rest,
        ),
        build=(replace(old.build[0], recipe="another"),),
        environment={"MORE": "1"},
    )
    found = diff_locks(old, new)
    assert [change.name for change in found.target] == ["target", "Python"]
    assert kinds(found.packages) == {
        "brand-new": LockChangeKind.ADDED,
        first.name: LockChangeKind.REMOVED,
        second.name: LockChangeKind.CHANGED,
        third.name: LockChangeKind.FILES,
    }
    assert kinds(found.steps) == {"mmcv": LockChangeKind.FILES}
    assert kinds(found.environment)["MORE"] is LockChangeKind.ADDED
    lines = list(diff_lines(found))
    assert "packages:" in lines
    assert any(line.startswith(f"  ~ {second.name} {second.version} -> 99") for line in lines)


def test_what_changes_says_why_in_the_words_of_the_new_lock() -> None:
    found = diff_locks(read_lock(LOCKS / "a100"), read_lock(LOCKS / "rtx5090"))
    torch = next(one for one in found.packages if one.name == "torch")
    assert (torch.old, torch.new) == ("2.1.2", "2.11.0")
    assert torch.why
    steps = {one.name: (one.old, one.new) for one in found.steps}
    assert steps["mmcv"] == (None, "2.1.0 (build)")  # the other has a wheel with a hash


def test_what_is_removed_says_what_became_of_those_that_needed_it() -> None:
    old = read_lock(LOCKS / "a100")
    gone = {"rich", "pygments", "filelock", "addict"}
    kept = tuple(
        replace(one, version="9.9") if one.name == "torch" else one
        for one in old.packages
        if one.name not in {*gone, "triton"}
    )
    why = {one.name: one.why for one in diff_locks(old, replace(old, packages=kept)).packages}
    assert why["rich"] == "mmengine does not need it in the new lock"
    assert why["pygments"] == "rich, which needs it, is not in the new lock"
    assert why["filelock"] == "torch 9.9 does not need it; triton, which needs it, is not in the new lock"
    lines = list(diff_lines(diff_locks(old, replace(old, packages=kept))))
    assert (
        f"  - rich {next(one.version for one in old.packages if one.name == 'rich')}  ({why['rich']})"
        in lines
    )


def test_a_package_that_a_step_makes_is_not_simply_gone() -> None:
    sealed, unsealed = read_lock(LOCKS / "a100"), read_lock(LOCKS / "rtx5090")
    forth, back = diff_locks(sealed, unsealed), diff_locks(unsealed, sealed)
    assert [one.why for one in forth.packages if one.name == "mmcv"] == ["still to build in the new lock"]
    assert [one.why for one in back.steps] == ["the new lock has its wheel, with a hash"]
    assert all(one.why for one in (*forth.packages, *back.packages) if one.kind is LockChangeKind.REMOVED)
