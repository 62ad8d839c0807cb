"""Several mmlocks at once, as real processes: no lock is sealed with bytes that are not its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from children import Start, start
from loopback_web import Reply, Web, web
from made_wheels import FILES, NAME, unsealed, whole_wheel

from mmlock.core.names import Sha256
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.wheelhouse import Wheelhouse

__all__ = ["start", "web"]

pytestmark = pytest.mark.slow

PUT = """
import json, sys
from pathlib import Path
from mmlock.wheels.wheelhouse import Wheelhouse
root, wheel, key, times = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
house = Wheelhouse(root=root)
for _ in range(times):
    about = {"package": "mmcv", "version": "2.1.0"}
    wheel_there = house.put(key, wheel, about, checks=(), provenance=b"{}", log=None)
    print(wheel_there.sha256, flush=True)
"""


@pytest.fixture
def python(start: Start, tmp_path: Path) -> Start:
    """Starts Python beside a cache of this test."""
    environ = {**os.environ, "MMLOCK_CACHE_DIR": str(tmp_path / "cache"), "PYTHONWARNINGS": "error"}
    environ.pop("MMLOCK_WHEELHOUSE", None)
    return lambda words: start([sys.executable, *words], env=environ)


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    results = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        results.append((process.returncode, out, err))
    return results


def slow(data: bytes) -> Reply:
    return Reply(body=data, pieces=6)


def test_builds_of_different_locks_that_fetch_one_wheel(tmp_path: Path, web: Web, python: Start) -> None:
    data = whole_wheel(NAME, {**FILES, "mmcv/data.bin": os.urandom(400_000)})
    digest = hashlib.sha256(data).hexdigest()
    url = web.put(f"/whl/{NAME}", slow(data))
    locks = [tmp_path / "project" / f"lock-{number}" for number in range(4)]
    for lock in locks:
        write_lock(unsealed(url), lock)
    (tmp_path / "project" / "mmlock.toml").write_text("")
    results = ended([python(["-m", "mmlock", "build", "--yes", str(lock)]) for lock in locks])
    assert [code for code, _, _ in results] == [0] * 4, results
    for lock in locks:
        (package,) = read_lock(lock).packages
        assert package.files[0].sha256 == digest
    (row,) = json.loads((tmp_path / "project" / "mmlock-files.json").read_text())["rows"]
    assert row["sha256"] == digest
    assert sum(path == f"/whl/{NAME}" for path, _ in web.asked) == 1


def test_builds_of_one_lock_wait_for_each_other(tmp_path: Path, web: Web, python: Start) -> None:
    url = web.put(f"/whl/{NAME}", slow(whole_wheel(NAME, FILES)))
    write_lock(unsealed(url), tmp_path / "lock")
    processes = [python(["-m", "mmlock", "build", "--yes", str(tmp_path / "lock")]) for _ in range(3)]
    results = ended(processes)
    assert [code for code, _, _ in results] == [0] * 3, results
    assert sum("is sealed already" in out for _, out, _ in results) == 2
    assert read_lock(tmp_path / "lock").sealed


def test_a_wheel_that_is_refused_is_refused_by_all(tmp_path: Path, web: Web, python: Start) -> None:
    url = web.put(f"/whl/{NAME}", slow(whole_wheel(NAME, {**FILES, "evil.pth": b"x"})))
    locks = [tmp_path / f"lock-{number}" for number in range(3)]
    for lock in locks:
        write_lock(unsealed(url), lock)
    results = ended([python(["-m", "mmlock", "build", "--yes", str(lock)]) for lock in locks])
    assert [code for code, _, _ in results] == [2] * 3, results
    assert all("evil.pth" in err for _, _, err in results)
    assert not list((tmp_path / "cache").rglob("*.whl"))
    assert not list((tmp_path / "cache").rglob("urls/*.json"))


def test_wheels_of_one_key_are_put_and_read_at_once(tmp_path: Path, python: Start) -> None:
    """Builds that do not give the same bytes twice: whoever reads finds one of them whole."""
    key = "ab" * 32
    wheels = []
    for number in range(2):
        folder = tmp_path / f"made-{number}"
        folder.mkdir()
        (folder / NAME).write_bytes(whole_wheel(NAME, {**FILES, "mmcv/n.py": f"N = {number}\n".encode()}))
        wheels.append(folder / NAME)
    digests = {Sha256(hashlib.sha256(wheel.read_bytes()).hexdigest()) for wheel in wheels}
    house = Wheelhouse(root=tmp_path / "house")
    processes = [python(["-c", PUT, str(house.root), str(wheel), key, "40"]) for wheel in wheels]
    seen = set()
    while any(process.poll() is None for process in processes):
        found = house.get(key)
        if found is not None:
            seen.add(found.sha256)
    results = ended(processes)
    assert [code for code, _, _ in results] == [0, 0], results
    assert seen <= digests
    last = house.get(key)
    assert isinstance(last, BuiltWheel)
    assert [path.name for path in (house.root / "wheels").iterdir() if not path.name.startswith(".lock")] == [
        key
    ]


def test_a_rebuilt_wheel_never_comes_into_a_lock_under_the_old_hash(tmp_path: Path) -> None:
    from mmlock.core.errors import EnvironmentFault
    from mmlock.wheels.seal import Placement

    house = Wheelhouse(root=tmp_path / "house")
    first, second = tmp_path / "1" / NAME, tmp_path / "2" / NAME
    for number, path in enumerate((first, second)):
        path.parent.mkdir()
        path.write_bytes(whole_wheel(NAME, {**FILES, "mmcv/n.py": f"N = {number}\n".encode()}))
    about = {"package": "mmcv", "version": "2.1.0"}
    old = house.put("ab" * 32, first, about, checks=(), provenance=b"{}", log=None)
    house.put("ab" * 32, second, about, checks=(), provenance=b"{}", log=None)
    with pytest.raises(EnvironmentFault, match="is not the wheel that was checked"):
        Placement(folder=tmp_path / "lock").place(old.path, old.sha256)
