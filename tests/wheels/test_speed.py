"""The precompiled header: which one, and that it changes nothing but the time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmlock.wheels.model import Compiler
from mmlock.wheels.speed import common_header, fast_compiler, nvcc_variables
from mmlock.wheels.toolchain import find_compiler

needs_gcc = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")


def tree_of(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


OWN = "#ifndef A\n#define A\n#include <torch/types.h>\n#endif\n"


def sources(count: int, text: str) -> dict[str, str]:
    return {f"src/{number}.cpp": text for number in range(count)}


def test_the_header_that_most_sources_come_to_is_taken(tmp_path: Path) -> None:
    files = {"common/own.hpp": OWN, **sources(5, '#include <vector>\n#include "own.hpp"\n')}
    files |= {"src/other.cpp": "#include <torch/extension.h>\n", "src/none.cpp": "#include <vector>\n"}
    found = common_header(tree_of(tmp_path, files))
    assert found is not None
    header, covered = found
    assert header == "torch/types.h"
    assert sorted(path.name for path in covered) == ["0.cpp", "1.cpp", "2.cpp", "3.cpp", "4.cpp", "other.cpp"]


def test_a_source_that_sets_macros_before_is_left_alone(tmp_path: Path) -> None:
    files = sources(4, "#include <torch/types.h>\n") | {"m.cpp": "#define NDEBUG\n#include <torch/types.h>\n"}
    found = common_header(tree_of(tmp_path, files))
    assert found is not None
    assert "m.cpp" not in {path.name for path in found[1]}


def test_few_sources_are_not_worth_it(tmp_path: Path) -> None:
    assert common_header(tree_of(tmp_path, sources(3, "#include <torch/types.h>\n"))) is None


def test_headers_that_include_each_other_end(tmp_path: Path) -> None:
    files = {"a.h": '#include "b.h"\n', "b.h": '#include "a.h"\n', **sources(5, '#include "a.h"\n')}
    assert common_header(tree_of(tmp_path, files)) is None


# ---------------------------------------------------------------- with a real compiler


class Bench:
    """Sources, a header in the place of torch's, and the compiler in front of the real one."""

    def __init__(self, folder: Path, header: str, text: str) -> None:
        files = {"torch/types.h": header, **sources(5, text)}
        self.tree = tree_of(folder / "tree", files).resolve()
        self.tools = folder / "tools"
        path = os.environ["PATH"]
        real: Compiler = find_compiler({"PATH": path, "CXX": "g++"}, gcc_max=None, std=17)
        # No launcher: ccache would answer for the compiler.
        self.variables = fast_compiler(real, self.tree, self.tools, Path(sys.executable), "/none")

    def compile(self, source: str, *flags: str) -> subprocess.CompletedProcess[str]:
        words = [self.variables["CXX"], "-MMD", "-MF", "d", f"-I{self.tree}", *flags, "-c"]
        words += [str(self.tree / source), "-o", str(self.tree / "out.o")]
        return subprocess.run(words, cwd=self.tree, capture_output=True, text=True, check=False)

    @property
    def headers(self) -> list[Path]:
        return sorted(self.tools.glob("precompiled/*/*.gch"))


GOOD = "#include <torch/types.h>\nint twice() { return 2 * MAGIC; }\n"


@pytest.mark.slow
@needs_gcc
def test_a_header_is_compiled_once_and_used(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "#pragma once\n#include <vector>\n#define MAGIC 21\n", GOOD)
    assert bench.compile("src/0.cpp").returncode == 0
    (made,) = bench.headers
    # Now it is the only place that knows MAGIC: a compile that works has used it.
    (bench.tree / "torch" / "types.h").write_text("#pragma once\n")
    stamp = made.stat().st_mtime_ns
    assert bench.compile("src/1.cpp").returncode == 0
    assert made.stat().st_mtime_ns == stamp


@pytest.mark.slow
@needs_gcc
def test_other_flags_get_their_own_header(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "#pragma once\n#define MAGIC LEVEL\n", GOOD)
    assert bench.compile("src/0.cpp", "-DLEVEL=1").returncode == 0
    assert bench.compile("src/0.cpp", "-DLEVEL=2").returncode == 0
    assert len(bench.headers) == 2


@pytest.mark.slow
@needs_gcc
def test_a_header_that_cannot_be_precompiled_does_not_break_the_build(tmp_path: Path) -> None:
    header = "#ifndef FIRST\n#error include first.h before\n#endif\n#define MAGIC 3\n"
    bench = Bench(tmp_path, header, '#include "first.h"\n' + GOOD)
    (bench.tree / "src" / "first.h").write_text("#define FIRST\n")
    first = bench.compile("src/0.cpp")
    assert first.returncode == 0, first.stderr
    assert bench.headers == []
    assert len(list(bench.tools.glob("precompiled/*/failed"))) == 1
    assert bench.compile("src/1.cpp").returncode == 0


@pytest.mark.slow
@needs_gcc
def test_an_error_in_the_source_is_told_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "#pragma once\n#define MAGIC 1\n", GOOD)
    (bench.tree / "src" / "0.cpp").write_text("#include <torch/types.h>\nint broken( { }\n")
    ran = bench.compile("src/0.cpp")
    assert ran.returncode != 0
    assert ran.stderr.count("0.cpp:2") <= 2
    assert "expected" in ran.stderr


@pytest.mark.slow
@needs_gcc
def test_it_says_what_the_real_compiler_says(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "#pragma once\n#define MAGIC 1\n", GOOD)
    real = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True).stdout
    mine = subprocess.run(
        [bench.variables["CXX"], "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert mine.partition(" ")[2] == real.partition(" ")[2]


@pytest.mark.slow
@needs_gcc
def test_objects_tell_nothing_of_where_they_were_made(tmp_path: Path) -> None:
    made = []
    for name in ("here", "elsewhere"):
        bench = Bench(tmp_path / name, "#pragma once\n", "const char* place() { return __FILE__; }\n")
        assert bench.compile("src/0.cpp").returncode == 0
        made.append((bench.tree / "out.o").read_bytes())
    assert made[0] == made[1]
    assert str(tmp_path).encode() not in made[0]


def test_nvcc_gets_the_flags_that_it_knows(tmp_path: Path) -> None:
    nvcc = tmp_path / "cuda" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    nvcc.write_text('#!/bin/sh\ncase " $* " in *" -objtemp "*) exit 1;; esac\n')
    nvcc.chmod(0o755)
    home, folder = str(tmp_path / "cuda"), tmp_path / "build"
    assert nvcc_variables(home, "/none", folder) == {
        "NVCC_APPEND_FLAGS": f"-Xcompiler=-ffile-prefix-map={folder}=."
    }
    nvcc.write_text("#!/bin/sh\n")
    assert nvcc_variables(home, "/none", folder)["NVCC_APPEND_FLAGS"].endswith("=. -objtemp")
    assert nvcc_variables(None, "/none", folder) == {}
    ccache = tmp_path / "bin" / "ccache"
    ccache.parent.mkdir()
    ccache.write_text("#!/bin/sh\n")
    ccache.chmod(0o755)
    found = nvcc_variables(home, str(ccache.parent), folder)
    assert found["PYTORCH_NVCC"] == f"{ccache} {nvcc}"
