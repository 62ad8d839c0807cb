"""What the machine gives: jobs, compilers, toolkits, processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from build_world import make_step
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.doctor.build_log import explain_log
from mmlock.lock.model import ToolchainPlan
from mmlock.wheels.compiling import CompileProgress
from mmlock.wheels.machine import Resources, full_disk_told, jobs, resources, room_for
from mmlock.wheels.process import Command, Ending, run
from mmlock.wheels.symptoms import first_errors
from mmlock.wheels.toolchain import find_compiler, toolkit_variables

needs_gcc = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")


@pytest.mark.parametrize(
    ("cores", "memory", "job", "asked", "want"),
    [
        (8, 16_000, 3000, None, 5),
        (2, 64_000, 3000, None, 2),
        (8, None, 3000, None, 8),
        (8, 1000, 3000, 4, 4),
        (1, 3000, 3000, None, 1),
    ],
)
def test_jobs_follow_cores_and_memory(
    cores: int, memory: int | None, job: int, asked: int | None, want: int
) -> None:
    assert jobs(Resources(cores=cores, memory_mb=memory), job, asked) == want


def test_too_little_memory_is_told_before_the_compile() -> None:
    with pytest.raises(EnvironmentFault) as error:
        jobs(Resources(cores=8, memory_mb=2000), 3000)
    assert error.value.causes == ("one compile job takes about 3000 MB, 2000 MB are free",)
    with pytest.raises(UsageError):
        jobs(Resources(cores=8, memory_mb=2000), 3000, 0)


def test_the_limits_of_a_container_count(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("4000000000\n")
    (tmp_path / "memory.current").write_text("1000000000\n")
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "meminfo").write_text("MemTotal: 64000000 kB\nMemAvailable:   32000000 kB\n")
    assert resources(tmp_path, tmp_path / "meminfo") == Resources(cores=1, memory_mb=3000)
    (tmp_path / "memory.max").write_text("max\n")
    assert resources(tmp_path, tmp_path / "meminfo").memory_mb == 32000


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    room_for(tmp_path / "not" / "there", 1)
    with pytest.raises(EnvironmentFault, match="too full"):
        room_for(tmp_path, 10**18)


# ---------------------------------------------------------------- compilers


@pytest.mark.slow
@needs_gcc
def test_the_compiler_is_asked_who_it_is() -> None:
    found = find_compiler({"PATH": os.environ["PATH"], "CXX": "g++"}, gcc_max=None, std=17)
    assert found.gcc is not None
    assert (
        found.machine
        in subprocess.run(["g++", "-dumpmachine"], capture_output=True, text=True, check=True).stdout
    )
    assert found.cc.endswith("gcc")


@needs_gcc
def test_a_gcc_that_is_too_new_is_refused_with_its_number() -> None:
    with pytest.raises(EnvironmentFault) as error:
        find_compiler({"PATH": os.environ["PATH"], "CXX": "g++"}, gcc_max=3, std=17)
    assert any("nvcc accepts gcc 3 at most" in cause for cause in error.value.causes)
    assert any("apt-get install g++-3" in hint for hint in error.value.hints)


@needs_gcc
def test_a_standard_that_the_compiler_does_not_know_is_told() -> None:
    with pytest.raises(EnvironmentFault) as error:
        find_compiler({"PATH": os.environ["PATH"], "CXX": "g++"}, gcc_max=None, std=99)
    assert "cannot compile a small program as C++99" in error.value.causes[0]


def test_no_compiler_at_all(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as error:
        find_compiler({"PATH": str(tmp_path)}, gcc_max=None, std=17)
    assert "on the PATH" in error.value.causes[0]


# ---------------------------------------------------------------- toolkits


def plan(tmp_path: Path, **changes: object) -> ToolchainPlan:
    (tmp_path / "s.tar.gz").write_text("x")
    return replace(make_step(tmp_path / "s.tar.gz").toolchain, **changes)


def test_set_up_lines_run_and_leave_their_variables(tmp_path: Path) -> None:
    nvcc = tmp_path / "site" / "nvidia" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    nvcc.write_text("#!/bin/sh\n")
    chain = plan(
        tmp_path,
        provider="pip",
        cuda="13.0",
        cuda_home="{site_packages}/nvidia",
        setup=(
            'mkdir -p "$PWD/shim"',
            'export LIBRARY_PATH="$PWD/shim"',
            'export PATH="$CUDA_HOME/bin:$PATH"',
        ),
    )
    base = {"PATH": os.environ["PATH"]}
    found = toolkit_variables(chain, base, site_packages=tmp_path / "site", folder=tmp_path / "work")
    assert found["CUDA_HOME"] == str(tmp_path / "site" / "nvidia")
    assert found["LIBRARY_PATH"] == str(tmp_path / "work" / "shim")
    assert found["PATH"].startswith(str(nvcc.parent))
    assert (tmp_path / "work" / "shim").is_dir()
    assert set(found) == {"PATH", "CUDA_HOME", "LIBRARY_PATH"}


def test_a_toolkit_that_is_not_there_is_told(tmp_path: Path) -> None:
    chain = plan(tmp_path, provider="system", cuda="12.4", cuda_home="/no/cuda-12.4")
    with pytest.raises(EnvironmentFault) as error:
        toolkit_variables(chain, {"PATH": os.environ["PATH"]}, site_packages=None, folder=tmp_path)
    assert "/no/cuda-12.4/bin/nvcc" in error.value.causes[0]
    assert "CUDA_HOME" in error.value.hints[0]


def test_a_toolkit_of_another_version_is_told(tmp_path: Path) -> None:
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.parent.mkdir()
    nvcc.write_text("#!/bin/sh\necho release 11.8,\n")
    nvcc.chmod(0o755)
    check = '"$CUDA_HOME/bin/nvcc" --version | grep -q "release 12.4,"'
    chain = plan(tmp_path, provider="system", cuda="12.4", cuda_home="/no", setup=(check,))
    environ = {"PATH": os.environ["PATH"], "CUDA_HOME": str(tmp_path)}
    with pytest.raises(EnvironmentFault, match=r"CUDA toolkit 12\.4") as error:
        toolkit_variables(chain, environ, site_packages=None, folder=tmp_path)
    assert "release 12.4" in error.value.causes[0]


# ---------------------------------------------------------------- processes


def command(tmp_path: Path, code: str, **changes: object) -> Command:
    words = [sys.executable, "-u", "-c", code]
    made = Command(words=words, folder=tmp_path, environ=dict(os.environ), log=tmp_path / "log")
    return replace(made, **changes)


def test_output_goes_to_the_log_line_by_line(tmp_path: Path) -> None:
    seen: list[str] = []
    ran = run(
        command(tmp_path, "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"), seen.append
    )
    assert (ran.ending, ran.code) == (Ending.FAILED, 3)
    assert sorted(seen) == ["one", "two"]
    assert b"one\n" in (tmp_path / "log").read_bytes()


@pytest.mark.slow
def test_a_command_that_does_nothing_is_ended_with_its_children(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(500)'])"
    ran = run(command(tmp_path, code, quiet_seconds=0.6), str)
    assert ran.ending is Ending.HUNG
    assert ran.seconds < 60


@pytest.mark.slow
def test_a_command_that_works_in_silence_is_not_ended(tmp_path: Path) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not tell the CPU time of others")
    code = "import time\nend = time.process_time() + 1.5\nwhile time.process_time() < end: pass"
    ran = run(command(tmp_path, code, quiet_seconds=0.5), str)
    assert ran.ending is Ending.DONE


def test_an_interrupt_ends_the_whole_group(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(500)'])\n"
        "print(child.pid)\nchild.wait()"
    )
    seen: list[int] = []

    def interrupt(line: str) -> None:
        seen.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(command(tmp_path, code), interrupt)
    assert gone(seen[0])


def gone(pid: int) -> bool:
    """Whether a process has ended, or does within some seconds; a zombie has."""
    for _ in range(300):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


def test_a_log_on_a_full_disk_hides_nothing(tmp_path: Path) -> None:
    heard: list[str] = []
    made = Command(
        words=[sys.executable, "-c", "print('one'); print('two')"],
        folder=tmp_path,
        environ=dict(os.environ),
        log=Path("/dev/full"),
    )
    assert run(made, heard.append).ending is Ending.DONE
    assert heard == ["one", "two"]


def test_a_disk_that_fills_up_is_told_and_other_faults_are_not_taken_for_it(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with pytest.raises(EnvironmentFault, match="the disk is full"), full_disk_told():
        full.write_bytes(b"x" * 100)
    with pytest.raises(FileNotFoundError), full_disk_told():
        (tmp_path / "none").read_bytes()


# ---------------------------------------------------------------- progress and symptoms


def test_progress_counts_files_and_estimates() -> None:
    said: list[str] = []
    times = iter(range(0, 1000, 10))
    follow = CompileProgress(progress=said.append, clock=lambda: float(next(times)))
    for number in (1, 2, 4):
        follow.line(f"  [{number}/4] c++ -MMD -c /x/ops/roi_align.cpp -o roi_align.o")
    assert said == [
        "compiled 1 of 4, about 30 s left: ops/roi_align.cpp",
        "compiled 2 of 4, about 20 s left: ops/roi_align.cpp",
        "compiled 4 of 4: ops/roi_align.cpp",
    ]


def test_progress_understands_a_build_without_ninja() -> None:
    said: list[str] = []
    follow = CompileProgress(progress=said.append, clock=lambda: float(len(said) * 10))
    follow.line("gcc -pthread -fPIC -I/usr/include -c src/a.c -o build/a.o")
    follow.line("copying mmcv/__init__.py -> build/lib")
    follow.line("x86_64-linux-gnu-g++ -O2 -c src/b.cpp -o build/b.o")
    assert said == ["compiled 1: src/a.c", "compiled 2: src/b.cpp"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("c++: fatal error: Killed signal terminated program cc1plus", "memory"),
        ("ninja: error: mkdir(build): No space left on device", "disk is full"),
        (
            "/usr/include/crt/host_config.h:143: error: -- unsupported GNU version! gcc versions later",
            "gcc",
        ),
        ("nvcc fatal   : Unsupported gpu architecture 'compute_120'", "does not support the GPU arch"),
        ("/usr/bin/ld: cannot find -lcudart: No such file or directory", "cudart"),
        ("#error C++20 or later compatible compiler is required to use ATen.", "C++"),
        ("ModuleNotFoundError: No module named 'pkg_resources'", "pkg_resources"),
        ("a.cpp:1:10: fatal error: Python.h: No such file or directory", "headers of this Python"),
        (
            "RuntimeError: The detected CUDA version (12.4) mismatches the version that was used to compile",
            "12.4",
        ),
    ],
)
def test_the_doctors_table_tells_the_cause_of_a_failed_build(line: str, word: str) -> None:
    explained = explain_log(["[1/3] c++ -c a.cpp", line])
    assert word in explained.causes[0]
    assert explained.hints
    assert line in first_errors(["[1/3] c++ -c a.cpp", line])


@pytest.mark.slow
def test_an_unknown_failure_gives_its_first_errors() -> None:
    lines = ["fine", "a.cpp:3: error: no such thing", "a.cpp:9: error: nor this", "x it ended"]
    assert first_errors(lines) == ["a.cpp:3: error: no such thing", "a.cpp:9: error: nor this"]
    assert explain_log(["fine", "x it ended"]).causes == ()
    assert first_errors(["fine", "", "x it ended"]) == ["fine", "x it ended"]
