"""`mmlock solve` from the command line to the lock folder, against bare `uv pip compile` of the same closure.

    python benchmarks/end_to_end.py [--rounds 5] [--direct 1] [--gpu rtx5090] [--index https://pypi.org/simple]

- *cold*: empty caches. *warm*: uv's cache is filled and fresh, mmlock has no answer of its own, neither to
  the whole question nor to the closure: core, closure, judge, files, everything is done again.
- *repeat*: nothing changed. *offline*: as warm, with `--offline`.

Every run of mmlock stands next to a run of uv; ratios are medians over such pairs. CPU is what the processes
used, which a busy machine changes least. The index is on the loopback interface, `--latency` ms away, in two
styles that differ in what pages announce; `--direct` rounds go to the real index as it is. An index other
than PyPI is asked for the files of the core, too: a few requests of mmlock that users of PyPI do not see.
pip-compile and poetry run once, where they are installed.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import bare
from counting_index import Proxy, Style, counting_index
from report import Cell, Table, median_ratio, parser_of, show, user_environ

from mmlock.core.cache import cache_root
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock

STATES = ("cold", "warm", "repeat", "offline")
COLUMNS = ("state", "who", "median ms", "/ uv", "CPU ms", "/ uv CPU", "requests", "kB")


@dataclass(frozen=True, slots=True)
class Run:
    seconds: float
    cpu: float
    """Seconds of processor time of the tool and what it starts."""
    requests: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One proxy, a folder for caches, and the device."""

    proxy: Proxy
    folder: Path
    gpu: str

    @property
    def index(self) -> str:
        return f"{self.proxy.url}/simple"

    def mmlock(self) -> list[str]:
        own = str(Path(sys.executable).parent / "mmlock")
        lock = str(self.folder / "lock")
        return [own, "solve", "--gpu", self.gpu, "--out", lock, "--no-progress"]

    def environ(self, who: str) -> dict[str, str]:
        """The user's environment without settings of other tools, and with caches of its own."""
        kept = {key: value for key, value in user_environ().items() if not key.startswith(("UV_", "PIP_"))}
        home = self.folder / who
        kept |= {"UV_DEFAULT_INDEX": self.index}  # for mmlock; the others are told in their words
        kept |= {"UV_CACHE_DIR": str(home / "uv"), "MMLOCK_CACHE_DIR": str(home / "own")}
        kept |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        poetry = {"POETRY_CACHE_DIR": str(home / "poetry"), "POETRY_CONFIG_DIR": str(home / "config")}
        return kept | poetry | {"POETRY_VIRTUALENVS_CREATE": "false", "PYTHON_KEYRING_BACKEND": NO_KEYRING}

    def forget(self) -> None:
        """Leave mmlock no answer of its own, neither whole ones nor closures: uv is asked again."""
        for kept in ("answers", "closure"):
            shutil.rmtree(self.folder / "mmlock" / "own" / kept, ignore_errors=True)

    def profile(self) -> dict[str, float]:
        """Stage -> ms of one profiled run of mmlock."""
        words = [sys.executable, str(Path(__file__).with_name("profiled.py")), *self.mmlock()[1:]]
        done = subprocess.run(words, env=self.environ("mmlock"), capture_output=True, text=True, check=True)
        stages: dict[str, float] = json.loads(done.stderr.splitlines()[-1])["stages"]
        return stages

    def run(self, words: list[str], who: str, where: Path | None = None) -> Run:
        self.proxy.counts.take()
        start, cpu = time.perf_counter(), children()
        try:
            subprocess.run(
                words,
                env=self.environ(who),
                cwd=where,
                capture_output=True,
                text=True,
                check=True,
                timeout=LONGEST,
            )
        except subprocess.CalledProcessError as error:
            told = (error.stderr or error.stdout).strip()
            raise Failed(
                f"`{Path(words[0]).name}` failed: {told.splitlines()[-1] if told else ''}"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise Failed(f"`{Path(words[0]).name}` was stopped after {LONGEST} s") from error
        return Run(time.perf_counter() - start, children() - cpu, *self.proxy.counts.take())


def children() -> float:
    """Processor seconds of all processes that were started and have ended."""
    times = os.times()
    return times.children_user + times.children_system


class Failed(Exception):
    """A tool did not answer."""


LONGEST = 300
PROFILED = 5
NO_KEYRING = "keyring.backends.null.Keyring"
Rounds = dict[tuple[str, str], list[Run]]


def one_round(bench: Bench, uv: list[str], runs: Rounds) -> None:
    """Every state of both, state by state, so that neighbours share the weather."""
    for who in ("uv", "mmlock"):
        shutil.rmtree(bench.folder / who, ignore_errors=True)
    for state in STATES:
        if state != "repeat":
            bench.forget()
        more = ["--offline"] if state == "offline" else []
        for who, words in (("uv", uv), ("mmlock", bench.mmlock())):
            runs.setdefault((state, who), []).append(bench.run([*words, *more], who))


def table(title: str, runs: Rounds, notes: tuple[str, ...]) -> Table:
    rows = []
    for (state, who), found in runs.items():
        ratio = median_ratio([r.seconds for r in found], [r.seconds for r in runs[state, "uv"]])
        cpu = median_ratio([r.cpu for r in found], [r.cpu for r in runs[state, "uv"]])
        ms = round(1000 * statistics.median(run.seconds for run in found))
        work = round(1000 * statistics.median(run.cpu for run in found))
        rows.append((state, who, ms, ratio, work, cpu, found[-1].requests, round(found[-1].bytes / 1000)))
    return Table(title=title, columns=COLUMNS, rows=tuple(rows), notes=notes)


def against_uv(bench: Bench, rounds: int) -> tuple[LockedEnv, Table]:
    """Both in turns; the first, uncounted solve writes the lock from which uv's question is made."""
    bench.run(bench.mmlock(), "mmlock")
    env = read_lock(bench.folder / "lock")
    file = bench.folder / "bare.in"
    file.write_text("\n".join(bare.requirements(env)) + "\n")
    uv = bare.uv_words(env, file, bench.index)
    bench.run(uv, "uv")  # fills the recording
    runs: Rounds = {}
    for _ in range(rounds):
        one_round(bench, uv, runs)
    style = bench.proxy.style.value
    title = (
        f"mmlock solve --gpu {bench.gpu}, index {style}, {bench.proxy.latency * 1000:.0f} ms, {rounds} rounds"
    )
    return env, table(title, runs, (_same_closure(bench, env, uv),))


def profiled(bench: Bench) -> Table:
    """Where mmlock's own time goes, warm and repeated."""
    bench.run(bench.mmlock(), "mmlock")
    spent: dict[str, defaultdict[str, float]] = {"warm": defaultdict(float), "repeat": defaultdict(float)}
    for _ in range(PROFILED):
        for state, stages in spent.items():
            if state == "warm":
                bench.forget()
            for stage, ms in bench.profile().items():
                stages[stage] += ms / PROFILED
    warm, repeat = spent.values()
    rows = sorted(((stage, ms, repeat[stage]) for stage, ms in warm.items()), key=lambda row: -row[1])
    return Table(
        title=f"where the time of a solve goes, mean ms of {PROFILED} profiled runs",
        columns=("stage", "warm", "repeat"),
        rows=tuple(rows),
        notes=("the start of Python itself (see start_up.py) comes before; sampling costs some percent",),
    )


def _same_closure(bench: Bench, env: LockedEnv, uv: list[str]) -> str:
    """Whether uv's answer is the closure of the lock."""
    out = bench.folder / "pylock.bare.toml"
    bench.run([*uv, "--output-file", str(out)], "uv")
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    theirs = {(p["name"], p["version"]) for p in tomllib.loads(out.read_text())["packages"]}
    ours = {(str(package.name), package.version) for package in env.packages}
    differ = sorted(ours ^ theirs)
    words = ", ".join("==".join(one) for one in differ)
    return f"both lock {len(ours & theirs)} packages" + (f"; only one of them: {words}" if differ else "")


def others(bench: Bench, env: LockedEnv) -> Iterator[tuple[str, list[str], Path | None]]:
    """The slower tools that are installed: name, words, folder."""
    file = bench.folder / "bare.in"
    if program := bare.tool("pip-compile"):
        yield "pip-compile", bare.pip_compile_words(program, file, bench.index), None
    if poetry := bare.tool("poetry"):
        project = bench.folder / "project"
        bare.write_poetry_project(env, project, bench.index)
        yield "poetry", [poetry, "lock", "--regenerate", "--no-interaction"], project


def slower(bench: Bench, env: LockedEnv) -> Table:
    rows: list[tuple[Cell, ...]] = []
    missing = [name for name in ("pip-compile", "poetry") if bare.tool(name) is None]
    notes = [f"{name} was skipped: it is not installed (`pip install 'mmlock[bench]'`)" for name in missing]
    for name, words, where in others(bench, env):
        try:
            bench.run(words, f"{name}-first", where)  # fills the recording
            for state in ("cold", "warm"):
                run = bench.run(words, name, where)
                rows.append(
                    (
                        state,
                        name,
                        round(1000 * run.seconds),
                        round(1000 * run.cpu),
                        run.requests,
                        round(run.bytes / 1000),
                    )
                )
        except Failed as error:
            notes.append(str(error))
    notes += ["both answer for the Python that runs them, poetry for every platform at once"] if rows else []
    return Table(
        title="the same requirements in other tools, one run each",
        columns=("state", "who", "ms", "CPU ms", "requests", "kB"),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def tables(arguments: Mapping[str, object]) -> Iterator[Table]:
    rounds, direct = int(str(arguments["rounds"])), int(str(arguments["direct"]))
    index, latency = str(arguments["index"]), float(str(arguments["latency"])) / 1000
    record = cache_root(os.environ) / "bench-index"
    plan = [(Style.LIKE_PYPI, rounds, latency), (Style.PLAIN, rounds, latency), (Style.AS_IT_IS, direct, 0.0)]
    for style, times, wait in plan:
        if not times:
            continue
        with (
            tempfile.TemporaryDirectory() as name,
            counting_index(index, wait, style=style, record=record) as proxy,
        ):
            bench = Bench(proxy=proxy, folder=Path(name), gpu=str(arguments["gpu"]))
            env, found = against_uv(bench, times)
            yield found
            if style is Style.LIKE_PYPI:
                yield profiled(bench)
                yield slower(bench, env)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--direct", type=int, default=1, help="rounds with the real index as it is")
    parser.add_argument("--gpu", default="rtx5090")
    parser.add_argument("--latency", type=float, default=30, help="milliseconds before every answer")
    parser.add_argument("--index", default="https://pypi.org/simple")
    arguments = parser.parse_args()
    try:
        show(tables(vars(arguments)), as_json=arguments.json)
    except Failed as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
