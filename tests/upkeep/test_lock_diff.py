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
