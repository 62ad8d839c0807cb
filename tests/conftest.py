"""What every test may use; and where the time of a run went."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from examples import MANY
from hypothesis import settings

# A shared machine is slow at times: that is no finding. The same examples on every run are.
settings.register_profile(
    "mmlock", deadline=None, derandomize=True, print_blob=True, max_examples=100 if MANY else 20
)
settings.load_profile("mmlock")

# No test signs with, or trusts, the key of whoever runs it.
os.environ["MMLOCK_STATE_DIR"] = _state = tempfile.mkdtemp(prefix="mmlock-state-")
atexit.register(shutil.rmtree, _state, ignore_errors=True)

_CPU = "cpu seconds"
_SHOWN = 6
_spent: Counter[str] = Counter()


def _cpu() -> float:
    """Processor seconds of this process and its children: what others do on the machine changes it least."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    item.stash[_STARTED] = _cpu()
    return (yield)


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered for good is remembered for a test: which locks are known."""
    monkeypatch.setenv("MMLOCK_STATE_DIR", str(tmp_path_factory.getbasetemp() / "state"))


_STARTED = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    try:
        return (yield)
    finally:
        item.user_properties.append((_CPU, _cpu() - item.stash[_STARTED]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        _spent[report.nodeid.partition("::")[0]] += sum(
            float(str(seconds)) for name, seconds in report.user_properties if name == _CPU
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The unit suite stays under a minute on two cores: tell who takes most of it."""
    most = ", ".join(f"{file} {seconds:.1f}" for file, seconds in _spent.most_common(_SHOWN))
    terminalreporter.write_line(f"CPU seconds of the tests: {_spent.total():.0f}; most: {most}")


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the collector of garbage need not look at it."""
    gc.collect()
    gc.freeze()


_COLLECTED = pytest.StashKey[tuple[frozenset[Path], frozenset[Path]]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note, before marks deselect anything, which files there are and which yielded a test."""
    folders = [path for path in (Path(word).resolve() for word in config.args) if path.is_dir()]
    files = frozenset(file for folder in folders for file in folder.rglob("test_*.py"))
    config.stash[_COLLECTED] = (files, frozenset(item.path for item in items))


@pytest.fixture
def collected(pytestconfig: pytest.Config) -> tuple[frozenset[Path], frozenset[Path]]:
    """Test files below the folders that this run was given, and those of them that hold a test."""
    return pytestconfig.stash[_COLLECTED]
