"""The catalogue: what `mmlock.toml` says, what is written, what is called stale, and the table."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from msgspec.structs import replace
from solved import facts

from mmlock.core.artifact import Artifact
from mmlock.core.catalogue import LocksArguments, Pair, parse_catalogue
from mmlock.core.errors import EnvironmentFault, NoAnswer, UsageError
from mmlock.core.names import Confidence, Sha256
from mmlock.core.report import Page
from mmlock.lock.model import LockedEnv, Reason, ReasonKind
from mmlock.lock.read import read_lock
from mmlock.lock.refused import refused
from mmlock.lock.write import write_lock
from mmlock.resolve.judge import judge
from mmlock.upkeep.catalogue import locking as cataloguing
from mmlock.upkeep.catalogue.freshness import identity, with_files
from mmlock.upkeep.catalogue.locking import Failed, Outcome, locks, read_catalogue
from mmlock.upkeep.catalogue.state import entries
from mmlock.upkeep.catalogue.table import BEGIN, END
from mmlock.validate.attest.keys import own_key
from mmlock.validate.attest.signers import KeySigner
from mmlock.validate.attest.trust import Trust, read_trust
from mmlock.validate.signing import sign_again
from mmlock.validate.store import VerdictBinding, bindings, read_verdict

ROOT = Path(__file__).parents[2]
CATALOGUE = """
    table = "README.md"
    [stacks.openmmlab]
    targets = ["rtx5090", "t4"]
"""


@pytest.fixture(scope="module")
def env() -> LockedEnv:
    """A committed lock, so that the judge has nothing against it."""
    return read_lock(ROOT / "lockfiles" / "openmmlab" / "rtx5090")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "mmlock.toml").write_text(dedent(CATALOGUE))
    (tmp_path / "README.md").write_text(f"# Read me\n\n{BEGIN}\n{END}\n\nmore\n")
    return tmp_path


def no_answer(pair: Pair) -> Outcome:
    why = NoAnswer(
        "`--gpu t4` and `torch==9` cannot hold together", causes=["no code for it"], hints=["a hint"]
    )
    return refused(pair.stack, ("--gpu=t4",), why, "0" * 64)


def answers(env: LockedEnv, **others: Callable[[Pair], Outcome]) -> Callable[[Pair], Outcome]:
    return lambda pair: others[pair.target](pair) if pair.target in others else env


def run(home: Path, decide: Callable[[Pair], Outcome], **more: object) -> Page:
    arguments = LocksArguments(file=home / "mmlock.toml", jobs=1, **more)  # type: ignore[arg-type]
    return locks(arguments, lambda _: decide)


def states(page: Page) -> dict[str, str]:
    assert isinstance(page.data, dict)
    return {row["pair"]: row["state"] for row in page.data["pairs"]}


def stale(page: Page) -> int:
    assert isinstance(page.data, dict)
    return int(page.data["stale"])


# ---------------------------------------------------------------- what it says


def test_the_stack_s_word_goes_before_the_target_s_and_both_before_the_file_s() -> None:
    text = """
        python = "3.10"
        exclude-newer = "2026-11-21"
        [targets.two]
        gpus = ["t4", "p100"]
        python = "3.11"
        torch = "2.1"
        [stacks.openmmlab]
        targets = ["two", "cpu"]
        torch = "2.0"
        [stacks.own]
        requirements = ["mmdet>=3"]
        targets = ["cpu"]
    """
    catalogue = parse_catalogue(dedent(text), Path("place/mmlock.toml"))
    two, cpu, own = (pair.request for pair in catalogue.pairs)
    assert (two.gpus, two.python, two.torch, two.stack) == (("t4", "p100"), "3.11", "2.0", "openmmlab")
    assert (cpu.gpus, cpu.python, cpu.torch) == (("cpu",), "3.10", "2.0")
    assert (own.stack, [asked.text for asked in own.requirements]) == (None, ["mmdet>=3"])
    assert {request.exclude_newer for request in (two, cpu, own)} == {"2026-11-21"}
    assert two.out == Path("place/lockfiles/openmmlab/two")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[stacks", "is not TOML"),
        ("", "names no stack with targets"),
        ("[stacks.a]\ntargets = []", "names no stack with targets"),
        ('[stacks.a]\ntargets = "cpu"', "must be a list of texts"),
        ('[stacks.a]\ntargets = ["../x"]', "cannot be the name of a folder"),
        ('[stacks."a/b"]\ntargets = ["cpu"]', "cannot be the name of a folder"),
        ('[stacks.a]\ntargets = ["cpu"]\nversion = 1', "unknown key"),
        ('[stacks.a]\ntargets = ["cpu"]\nplatform = "dos"', "is not a platform"),
        ('[stacks.a]\ntargets = ["cpu"]\nrequirements = ["x=="]', "stacks.a.requirements"),
        ('stacks = ["a"]', "must be a table of tables"),
        ('[stacks.a]\ntargets = ["cpu"]\npre = "yes"', "must be true or false"),
    ],
)
def test_a_catalogue_that_cannot_be_used_says_where(text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_catalogue(text, Path("mmlock.toml"))
    assert "mmlock.toml" in "\n".join(error.value.lines())
    assert told in "\n".join(error.value.lines())


def test_a_pair_that_is_not_in_it_cannot_be_asked_for(home: Path, env: LockedEnv) -> None:
    with pytest.raises(UsageError, match="not in the catalogue"):
        run(home, answers(env), only=("openmmlab/k80",))
    with pytest.raises(UsageError, match="cannot be read"):
        read_catalogue(home / "nothing.toml")


# ---------------------------------------------------------------- writing


@pytest.mark.slow
def test_it_writes_every_pair_and_then_nothing(home: Path, env: LockedEnv) -> None:
    page = run(home, answers(env))
    assert states(page) == {"openmmlab/rtx5090": "written", "openmmlab/t4": "written"}
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert len(before) == 10
    again = run(home, answers(env))
    assert set(states(again).values()) == {"unchanged"}
    assert before == {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_facts_about_other_things_leave_a_lock_as_it_is(home: Path, env: LockedEnv) -> None:
    run(home, answers(env))
    assert set(states(run(home, answers(replace(env, matrix_digest="f" * 64)))).values()) == {"unchanged"}
    told = Reason(text="new words", source=("s",), confidence=Confidence.MEASURED, kind=ReasonKind.PROVIDER)
    page = run(home, answers(replace(env, matrix_digest="f" * 64, left_out=(told,))))
    assert set(states(page).values()) == {"written"}


@pytest.mark.slow
def test_a_refusal_is_kept_as_data_and_stops_no_other_pair(home: Path, env: LockedEnv) -> None:
    page = run(home, answers(env, rtx5090=no_answer))
    assert states(page) == {"openmmlab/rtx5090": "refused", "openmmlab/t4": "written"}
    assert sorted(path.name for path in (home / "lockfiles/openmmlab/rtx5090").iterdir()) == ["refused.toml"]
    assert states(run(home, answers(env, rtx5090=no_answer)))["openmmlab/rtx5090"] == "unchanged"
    (first, _) = entries(read_catalogue(home / "mmlock.toml"), Trust())
    assert first.refused is not None
    assert first.refused.causes == ("no code for it",)
    assert "no lock: `--gpu t4` and `torch==9` cannot hold together" in (home / "README.md").read_text()


@pytest.mark.slow
def test_a_refusal_takes_the_place_of_a_lock_and_a_lock_that_of_a_refusal(home: Path, env: LockedEnv) -> None:
    folder = home / "lockfiles/openmmlab/t4"
    run(home, answers(env))
    assert "removed the lock that was there: pylock.toml" in run(home, answers(env, t4=no_answer)).text
    assert [path.name for path in folder.iterdir()] == ["refused.toml"]
    run(home, answers(env))
    assert "refused.toml" not in [path.name for path in folder.iterdir()]
    assert read_lock(folder) == env


@pytest.mark.slow
def test_what_could_not_be_asked_about_leaves_its_lock_alone(home: Path, env: LockedEnv) -> None:
    run(home, answers(env))
    page = run(home, answers(env, t4=lambda _: Failed(lines=("error: no network",))))
    assert isinstance(page.data, dict)
    assert page.data["failed"] == 1
    assert "error: no network" in page.text
    assert (home / "lockfiles/openmmlab/t4/pylock.toml").is_file()


@pytest.mark.slow
def test_a_verdict_of_another_lock_is_removed_aloud(home: Path, env: LockedEnv) -> None:
    run(home, answers(env))
    verdict = home / "lockfiles/openmmlab/t4/verdict.json"
    verdict.write_bytes((ROOT / "lockfiles/openmmlab/cpu/verdict.json").read_bytes())
    page = run(home, answers(env), only=("openmmlab/t4",))
    assert "removed verdict.json" in page.text
    assert not verdict.exists()


@pytest.mark.slow
def test_the_table_may_be_anywhere_and_is_made_where_it_is_missing(home: Path, env: LockedEnv) -> None:
    for place, link in (
        ("lockfiles/README.md", "openmmlab/t4/why.md"),
        ("d/l.md", "../lockfiles/openmmlab/t4/"),
    ):
        (home / "mmlock.toml").write_text(dedent(CATALOGUE).replace("README.md", place))
        assert stale(run(home, answers(env), check=True)) >= 1
        run(home, answers(env))
        assert f"[t4]({link}" in (home / place).read_text()
        assert stale(run(home, answers(env), check=True)) == 0


@pytest.mark.slow
def test_a_document_without_the_marks_is_an_error(home: Path, env: LockedEnv) -> None:
    (home / "README.md").write_text("# Read me\n")
    with pytest.raises(EnvironmentFault, match="no marks for the table"):
        run(home, answers(env))


# ---------------------------------------------------------------- checking


@pytest.mark.slow
def test_a_fresh_catalogue_passes_and_nothing_is_written(home: Path, env: LockedEnv) -> None:
    run(home, answers(env, t4=no_answer))
    page = run(home, answers(env, t4=no_answer), check=True)
    assert (states(page), stale(page)) == ({"openmmlab/rtx5090": "fresh", "openmmlab/t4": "refused"}, 0)


def test_missing_locks_and_another_table_are_stale(home: Path, env: LockedEnv) -> None:
    page = run(home, answers(env, t4=no_answer), check=True)
    assert stale(page) == 3
    assert not (home / "lockfiles").exists()


@pytest.mark.slow
def test_another_version_is_stale_and_other_words_are_not(home: Path, env: LockedEnv) -> None:
    run(home, answers(env))
    first, *rest = env.packages
    page = run(home, answers(replace(env, packages=(replace(first, version="99"), *rest))), check=True)
    assert stale(page) == 2
    assert f"{first.name}: {first.version} -> 99" in page.text
    reworded = run(home, answers(replace(env, left_out=())), check=True)
    assert stale(reworded) == 0
    assert set(states(reworded).values()) == {"explanations"}
    assert "explanations changed" in reworded.text


def ordinary(env: LockedEnv, name: str, version: str) -> LockedEnv:
    """The environment with another version of one package."""
    packages = (replace(one, version=version) if one.name == name else one for one in env.packages)
    return replace(env, packages=tuple(packages))


@pytest.mark.slow
def test_an_index_that_moved_and_a_fact_that_changed_are_told_apart(home: Path, env: LockedEnv) -> None:
    run(home, answers(env))
    later = replace(env, matrix_digest="f" * 64)
    moved = ordinary(later, "tqdm", "99")
    core = ordinary(later, "mmdet", "99")
    cured = replace(
        moved, findings=tuple(one for one in env.findings if one.subject != "mmengine-pkg-resources")
    )
    for answer, kind in ((moved, "index"), (core, "facts"), (cured, "facts"), (later, "fresh")):
        page = run(home, answers(answer), only=("openmmlab/t4",), check=True)
        assert states(page) == {"openmmlab/t4": kind}
    same = ordinary(env, "mmdet", "99")  # of the very same facts
    assert states(run(home, answers(same), only=("openmmlab/t4",), check=True)) == {"openmmlab/t4": "index"}


@pytest.mark.slow
def test_how_large_an_index_says_a_file_is_does_not_count(home: Path, env: LockedEnv) -> None:
    run(home, answers(env))

    def unsized(file: Artifact) -> Artifact:
        return replace(file, size=None)

    other = with_files(env, unsized)
    assert other != env
    assert set(states(run(home, answers(other), check=True)).values()) == {"fresh"}
    assert set(states(run(home, answers(other))).values()) == {"unchanged"}
    (step,) = env.build
    assert isinstance(step.source, Artifact)
    sources = replace(env, build=(replace(step, source=replace(step.source, size=1)),))
    assert sources != env
    assert set(states(run(home, answers(sources), check=True)).values()) == {"fresh"}
    changed = with_files(env, lambda file: replace(file, sha256=Sha256("0" * 64), size=None))
    assert "fresh" not in states(run(home, answers(changed), check=True)).values()


def test_what_a_lock_makes_belongs_to_it_and_the_words_about_it_do_not(env: LockedEnv) -> None:
    (step,) = env.build
    assert identity(replace(env, build=(replace(step, why="", reasons=(), verified=None),))) == identity(env)
    other = replace(step, env={**step.env, "FORCE_CUDA": "0"})
    assert identity(replace(env, build=(other,))) != identity(env)
    assert identity(replace(env, target=replace(env.target, glibc="2.35"))) != identity(env)


@pytest.mark.slow
def test_a_lock_that_the_judge_refuses_is_stale(home: Path, env: LockedEnv) -> None:
    bad = replace(env, python="3.5")
    write_lock(bad, home / "lockfiles/openmmlab/t4")
    page = run(home, answers(bad), only=("openmmlab/t4",), check=True)
    assert states(page)["openmmlab/t4"] == "rejected"
    assert stale(page) == 1


@pytest.mark.slow
def test_locks_and_answers_that_came_or_went_are_stale(home: Path, env: LockedEnv) -> None:
    run(home, answers(env, t4=no_answer))
    page = run(home, answers(env, rtx5090=no_answer), check=True)
    assert states(page) == {
        "openmmlab/rtx5090": "unsolvable",
        "openmmlab/t4": "solvable",
    }
    write_lock(env, home / "lockfiles/openmmlab/k80")
    assert (
        "openmmlab/k80: a lock that the catalogue does not name" in run(home, answers(env), check=True).text
    )


@pytest.mark.slow
def test_a_broken_lock_is_stale_and_says_where(home: Path, env: LockedEnv) -> None:
    run(home, answers(env))
    (home / "lockfiles/openmmlab/t4/pylock.toml").write_text("lock-version = 1\n")
    page = run(home, answers(env), only=("openmmlab/t4",), check=True)
    assert states(page) == {"openmmlab/t4": "broken"}
    assert stale(run(home, answers(env), check=True)) == 2  # the lock, and the table that cannot be made


# ---------------------------------------------------------------- this repository's own


@pytest.mark.slow
def test_the_table_in_the_readme_is_that_of_the_committed_locks() -> None:
    catalogue = read_catalogue(ROOT / "mmlock.toml")
    assert catalogue.table is not None
    held = tuple(entries(catalogue, read_trust({}, project=ROOT / "mmlock.toml", own=False)))
    assert all(entry.env is not None or entry.refused is not None for entry in held)
    assert not cataloguing.stale_table(catalogue.table, held, catalogue.folder)
    assert cataloguing.strays(catalogue) == ()


@pytest.mark.slow
def test_the_judge_lets_every_committed_lock_stand() -> None:
    found = {
        entry.pair.name: [o.text for o in judge(entry.env, facts()) if o.severity == "refuse"]
        for entry in entries(read_catalogue(ROOT / "mmlock.toml"), Trust())
        if entry.env is not None
    }
    assert len(found) > 30
    assert {name: told for name, told in found.items() if told} == {}


@pytest.mark.slow
def test_every_committed_verdict_is_about_its_lock_and_signed_by_a_maintainer() -> None:
    trust = read_trust({}, project=ROOT / "mmlock.toml", own=False)
    counted = 0
    for entry in entries(read_catalogue(ROOT / "mmlock.toml"), trust):
        folder = entry.pair.request.out
        assert folder is not None
        assert (entry.verdict is not None) == (folder / "verdict.json").exists()
        if entry.verdict is not None:
            counted += 1
            # `mmlock verdict sign LOCK` signs for files that were made again.
            assert set(bindings(read_verdict(folder / "verdict.json"), folder).values()) == {
                VerdictBinding.SAME
            }
    assert counted == len(list(ROOT.glob("lockfiles/*/*/verdict.json")))


@pytest.mark.slow
def test_a_lock_that_was_made_again_asks_for_another_signature(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = own_key(os.environ)
    committed = ROOT / "lockfiles/openmmlab/cpu"
    env = read_lock(committed)
    run(home, answers(env))
    folder = home / "lockfiles/openmmlab/t4"
    record = read_verdict(committed / "verdict.json")
    sign_again(record, read_lock(folder), folder, KeySigner(private=key))
    assert "mmlock verdict sign" not in run(home, answers(env)).text
    page = run(home, answers(replace(env, findings=())))
    assert page.text.count(f"mmlock verdict sign {folder}") == 1
    assert read_lock(folder).verdict == record.digest
    monkeypatch.setenv("MMLOCK_STATE_DIR", str(home / "none"))
    run(home, answers(replace(env, findings=())))
    assert read_lock(folder).verdict is None


@pytest.mark.slow
def test_verdicts_that_do_not_count_are_told_and_stay(home: Path, env: LockedEnv) -> None:
    run(home, answers(env))
    verdict = home / "lockfiles/openmmlab/t4/verdict.json"
    verdict.write_text('{"_type": "https://in-toto.io/Statement/v1"}')
    page = run(home, answers(env), only=("openmmlab/t4",))
    assert isinstance(page.data, dict)
    assert [one["standing"] for one in page.data["ignored_verdicts"]] == ["older-scheme"]
    assert page.text.count("older scheme and is not trusted") == 1
    assert verdict.exists()
    assert "is not trusted" in run(home, answers(env), check=True).text


@pytest.mark.slow
def test_all_are_decided_before_any_is_written(home: Path, env: LockedEnv) -> None:
    seen: list[bool] = []

    def decide(_: Pair) -> Outcome:
        seen.append(any(home.glob("lockfiles/*/*/*")))
        return env

    assert set(states(run(home, decide)).values()) == {"written"}
    assert seen == [False, False]
