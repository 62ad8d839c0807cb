"""Real builds of a small extension, end to end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from build_world import MakeWorld
from msgspec.structs import replace

from mmlock.core.build_arguments import BuildOptions
from mmlock.core.errors import EnvironmentFault
from mmlock.lock.model import PatchPlan
from mmlock.lock.read import read_lock
from mmlock.lock.trees import read_tree
from mmlock.lock.write import write_lock
from mmlock.wheels.buildenv import Uv
from mmlock.wheels.install import install
from mmlock.wheels.model import BuiltWheel, CheckStatus
from mmlock.wheels.process import no_network
from mmlock.wheels.seal import Placement, seal_built
from mmlock.wheels.wheel_record import record_fault
from mmlock.wheels.wheelhouse import Wheelhouse

pytestmark = pytest.mark.slow


def hinted(error: pytest.ExceptionInfo[EnvironmentFault]) -> str:
    return "\n".join(error.value.lines())


def test_a_wheel_is_built_checked_and_kept(world: MakeWorld) -> None:
    here = world()
    wheel = here.build()
    assert isinstance(wheel, BuiltWheel)
    assert wheel.version == "1.0+pt2.13.0cpu"
    assert wheel.path.name.startswith(f"tinyext-1.0+pt2.13.0cpu-1k{wheel.key[:8]}-cp")
    assert not wheel.hit
    assert {check.status for check in wheel.checks} == {CheckStatus.PASSED}
    assert any(check.name.startswith("loads beside torch") for check in wheel.checks)
    assert record_fault(wheel.path) is None
    assert here.builder.wheelhouse.verify() == []
    assert not list(here.builder.builds.glob("*/"))  # the build folder is gone
    again = here.build()
    assert isinstance(again, BuiltWheel)
    assert again.hit
    assert again.sha256 == wheel.sha256


def test_the_wheel_tells_how_it_was_made(world: MakeWorld) -> None:
    here = world()
    wheel = here.build()
    with zipfile.ZipFile(wheel.path) as archive:
        names = archive.namelist()
        read = {name.rpartition("/")[2]: archive.read(name) for name in names if "/sboms/" in name}
        metadata = archive.read(f"tinyext-{wheel.version}.dist-info/METADATA").decode()
        library = next(name for name in names if name.endswith(".so"))
        import hashlib

        digest = hashlib.sha256(archive.read(library)).hexdigest()
    assert f"Version: {wheel.version}\n" in metadata
    inner = json.loads(read["mmlock.provenance.json"])
    assert inner["subject"] == [{"name": library, "digest": {"sha256": digest}}]
    sources = inner["predicate"]["buildDefinition"]["resolvedDependencies"][0]
    assert sources["digest"]["sha256"] == here.step.source.sha256
    bill = json.loads(read["mmlock.cdx.json"])
    assert bill["bomFormat"] == "CycloneDX"
    assert {row["name"] for row in bill["components"]} >= {"tinyext", "pip"}
    outer = json.loads((wheel.path.parent / "provenance.json").read_text())
    assert outer["subject"][0]["digest"]["sha256"] == wheel.sha256


def test_the_same_build_gives_the_same_bytes(world: MakeWorld) -> None:
    first = world().build()
    options = BuildOptions(python=sys.executable, jobs=1, rebuild=True)
    second = world(options=options).build()
    assert second.key == first.key
    assert second.sha256 == first.sha256


def test_a_sealed_lock_installs_and_runs(world: MakeWorld, tmp_path: Path) -> None:
    here = world(patches=(patch("ANSWER = 42", "ANSWER = 43"),))
    folder = tmp_path / "lock"
    write_lock(here.env, folder)
    assert not read_lock(folder).sealed
    wheel = here.build()
    env = seal_built(here.env, here.step, wheel, Placement(folder=folder))
    write_lock(env, folder)
    back = read_lock(folder)
    assert back.sealed
    (package,) = [p for p in back.packages if p.name == "tinyext"]
    assert package.files[0].url == f"wheels/{wheel.path.name}"
    assert any("`absent>=2`" in finding.text for finding in back.findings)
    uv = Uv(path=here.builder.uv.path, offline=True)
    done = install(back, folder, tmp_path / "env", uv, python=sys.executable, exact=None)
    code = "import tinyext._ext as e; print(e.answer())"
    ran = subprocess.run([done.python, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "43\n"


def patch(find: str, new: str) -> PatchPlan:
    return PatchPlan(id="p", file="backend.py", find=find, replace=new, reason="for the test")


def test_a_wheel_without_its_compiled_part_never_enters(world: MakeWorld) -> None:
    here = world({"PURE = False": "PURE = True"})
    with pytest.raises(EnvironmentFault) as error:
        here.build()
    assert "built without its compiled part" in hinted(error)
    assert "there is no `tinyext/_ext*.so`" in hinted(error)
    assert list(here.builder.wheelhouse.entries()) == []


def test_a_wheel_that_does_not_load_never_enters(world: MakeWorld) -> None:
    source = 'extern "C" int from_nowhere(); int touch() { return from_nowhere(); }\n'
    here = world(source=source)
    with pytest.raises(EnvironmentFault) as error:
        here.build()
    assert "undefined symbol: from_nowhere" in hinted(error)
    assert list(here.builder.wheelhouse.entries()) == []


def test_a_compile_error_is_told_with_its_log_and_the_build_can_go_on(world: MakeWorld) -> None:
    here = world(source="#include <no_such_header.h>\n")
    with pytest.raises(EnvironmentFault) as error:
        here.build()
    assert "no_such_header.h" in hinted(error)
    (log,) = here.builder.builds.glob("*/build.log")
    assert str(log) in hinted(error)
    # The folder is kept: what is mended there is enough.
    (source,) = here.builder.builds.glob("*/sources/*/ext.cpp")
    source.write_text(here.good_source)
    assert not here.build().hit


def test_a_build_that_hangs_is_ended(world: MakeWorld) -> None:
    options = BuildOptions(python=sys.executable, jobs=1, quiet_minutes=1 / 60)
    here = world(
        {"def before():\n    pass": "def before():\n    import time\n    time.sleep(600)"}, options=options
    )
    with pytest.raises(EnvironmentFault) as error:
        here.build()
    assert "neither wrote nor worked" in hinted(error)


def test_a_build_has_no_network(world: MakeWorld) -> None:
    if not no_network():
        pytest.skip("this system has no way to take the network away")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        body = f"def before():\n    import socket\n    socket.create_connection(('127.0.0.1', {port}), 5)"
        with pytest.raises(EnvironmentFault) as error:
            world({"def before():\n    pass": body}).build()
        assert "it had no network; if it wants one, `--network` allows that" in hinted(error)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()


def test_two_builds_of_one_key_wait_for_each_other(world: MakeWorld) -> None:
    slow = {"def before():\n    pass": "def before():\n    import time\n    time.sleep(1.5)"}
    first, second = world(slow), world(slow)
    results: list[BuiltWheel] = []
    started = threading.Thread(target=lambda: results.append(first.build()))
    started.start()
    wait_for(lambda: any("building tinyext" in line for line in first.said))
    other = second.build()
    started.join()
    assert other.hit
    assert not results[0].hit
    assert any("which is building this very wheel" in line for line in second.said)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_build_of_the_same_key_elsewhere_is_left_alone(world: MakeWorld, tmp_path: Path) -> None:
    slow = {"def before():\n    pass": "def before():\n    import time\n    time.sleep(1.5)"}
    first, second = world(slow), world(slow)
    other = replace(second.builder, builds=tmp_path / "more", wheelhouse=Wheelhouse(root=tmp_path / "other"))
    results: list[BuiltWheel] = []
    started = threading.Thread(target=lambda: results.append(first.build()))
    started.start()
    wait_for(lambda: any("building tinyext" in line for line in first.said))
    wheel = other.build(second.env, second.step, {})
    started.join()
    (built,) = results
    assert not wheel.hit
    assert not built.hit
    # Another folder leaves no trace in the bytes either.
    assert built.sha256 == wheel.sha256


def test_what_a_killed_build_left_running_is_ended(world: MakeWorld) -> None:
    """A build in a process that is killed at once; the next one ends its children and goes on."""
    marker = "TOUCH"
    body = f"def before():\n    import time\n    open('{marker}', 'a').write('x')\n    time.sleep(3)"
    here = world({"def before():\n    pass": body})
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            here.build()
        os._exit(0)
    wait_for(lambda: bool(list(here.builder.builds.glob(f"*/sources/*/{marker}"))))
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    wheel = here.build()
    assert not wheel.hit
    assert here.builder.wheelhouse.verify() == []


def test_an_extension_of_the_users_tree_is_built_from_a_copy(world: MakeWorld, tmp_path: Path) -> None:
    here = world()
    project = tmp_path / "project"
    with tarfile.open(tmp_path / "tinyext-1.0.tar.gz") as archive:
        archive.extractall(project)  # noqa: S202  made by this test
    tree = read_tree(project, "tinyext-1.0")
    step = replace(here.step, source=tree)
    env = replace(here.env, build=(step,))
    builder = replace(here.builder, projects=(tmp_path, project))
    wheel = builder.build(env, step, {})
    assert not wheel.hit
    assert read_tree(project, "tinyext-1.0") == tree
    statement = json.loads((wheel.path.parent / "provenance.json").read_text())
    sources = statement["predicate"]["buildDefinition"]["resolvedDependencies"][0]
    assert sources["digest"] == {"sha256": tree.sha256}
    (folder,) = builder.builds.glob("*/")  # kept: the next build of this tree goes on in it
    (project / "tinyext-1.0" / "ext.cpp").write_text(here.good_source.replace("(ANSWER)", "(ANSWER + 1)"))
    changed = replace(step, source=read_tree(project, "tinyext-1.0"))
    other = builder.build(replace(env, build=(changed,)), changed, {})
    assert other.key != wheel.key
    assert list(builder.builds.glob("*/")) == [folder]
    assert "ANSWER + 1" in (folder / "sources" / "tinyext-1.0" / "ext.cpp").read_text()
    with pytest.raises(EnvironmentFault) as caught:
        replace(builder, options=replace(builder.options, rebuild=True)).build(env, step, {})
    assert "not those of the lock" in caught.value.message
    assert any("digest" in cause for cause in caught.value.causes)
    assert "--project DIR" in caught.value.hints[0]
