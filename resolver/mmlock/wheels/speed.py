"""Makes a build faster without changing what it makes: a precompiled header, and ccache when it is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from mmlock.wheels.model import Compiler

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define\b", re.MULTILINE)
_SOURCES = (".cpp", ".cc", ".cxx")
_HEADERS = (".h", ".hpp", ".hh", ".cuh")
_TIMEOUT = 60
_PREFIX_MAP = 8
"""The first gcc that knows -ffile-prefix-map."""
_WORTH = 4
"""A header that fewer files share costs more to precompile than it saves."""
_BASES = ("torch/", "ATen/", "c10/")


def common_header(tree: Path) -> tuple[str, tuple[Path, ...]] | None:
    """The torch header that most C++ sources come to first, and the sources that can start with it.

    Those are all that come to any torch header: each of them can are beside the others. None when too
    few share one.
    """
    headers = {path.name: path for path in sorted(tree.rglob("*")) if path.suffix in _HEADERS}
    reached: dict[Path, str] = {}
    for path in sorted(tree.rglob("*")):
        if path.suffix in _SOURCES and path.is_file() and (found := _first_torch(path, headers, set())):
            reached[path] = found
    if not reached:
        return None
    header, count = max(Counter(reached.values()).items(), key=lambda item: (item[1], item[0]))
    if count < _WORTH:
        return None
    return header, tuple(reached)


def _first_torch(path: Path, headers: Mapping[str, Path], seen: set[Path]) -> str | None:
    """The first torch header that a file includes, itself or through headers of the same package.

    A source that defines a macro before it may mean that header: it is left alone.
    """
    if path in seen:
        return None
    seen.add(path)
    text = path.read_text(encoding="utf-8", errors="replace")
    for include in _INCLUDE.finditer(text):
        name = include[2]
        inner = headers.get(name.rpartition("/")[2])
        own = name.startswith(_BASES)
        found = name if own else _first_torch(inner, headers, seen) if inner is not None else None
        if found is not None:
            guarded = path.suffix in _SOURCES and _DEFINE.search(text, 0, include.start())
            return None if guarded else found
    return None


def fast_compiler(
    compiler: Compiler, tree: Path, folder: Path, python: Path, path: str, *, precompile: bool = True
) -> dict[str, str]:
    """Variables that put a compiler which is faster, and tells no paths, in place of the real one."""
    ccache = shutil.which("ccache", path=path)
    found = common_header(tree) if precompile and compiler.gcc is not None else None
    flags = _stable_paths(compiler, folder.parent)
    if found is None and ccache is None and not flags:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    header, sources = found or ("", ())
    config = {
        "cxx": compiler.cxx,
        "launcher": [ccache] if ccache else [],
        "flags": flags,
        "header": header,
        "sources": sorted(str(source.resolve()) for source in sources),
        "folder": str(folder / "precompiled"),
    }
    place = folder / "compiler.json"
    place.write_text(json.dumps(config, indent=1), encoding="utf-8")
    # Named like a gcc: torch looks at the name to tell which compiler it is.
    script = folder / "g++"
    # A copy: an upgrade of mmlock must not change a build that is under way.
    wrapper = folder / "cxx_wrapper.py"
    shutil.copyfile(Path(__file__).with_name(wrapper.name), wrapper)
    words = [quote(str(python)), "-I", "-S", quote(str(wrapper)), quote(str(place))]
    script.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    variables = {"CXX": str(script), "TORCH_NO_COMPILER_WRAPPER": "1"}
    if ccache:
        variables |= {"CCACHE_SLOPPINESS": "pch_defines,time_macros", "CCACHE_BASEDIR": str(tree)}
    return variables


def _stable_paths(compiler: Compiler, folder: Path) -> list[str]:
    """Flags that keep the place of the build out of the wheel, so that two builds give the same bytes."""
    known = compiler.gcc is not None and compiler.gcc >= _PREFIX_MAP
    return [f"-ffile-prefix-map={folder.resolve()}=."] if known else []


def nvcc_variables(cuda_home: str | None, path: str, folder: Path) -> dict[str, str]:
    """nvcc behind ccache, where both are there, and with flags that keep the place of the build out.

    Without them its objects hold paths of this machine and the number of the process that wrote them.
    """
    if cuda_home is None:
        return {}
    nvcc = Path(cuda_home) / "bin" / "nvcc"
    wanted = (f"-Xcompiler=-ffile-prefix-map={folder.resolve()}=.", "-objtemp")
    flags = " ".join(flag for flag in wanted if " " not in flag and _takes(nvcc, flag))
    ccache = shutil.which("ccache", path=path)
    variables = {"NVCC_APPEND_FLAGS": flags} if flags else {}
    return variables | ({"PYTORCH_NVCC": f"{ccache} {nvcc}"} if ccache else {})


def _takes(nvcc: Path, flag: str) -> bool:
    """Whether this nvcc knows a flag: older ones do not know all."""
    words = [str(nvcc), "--dryrun", flag, "-c", "none.cu", "-o", "none.o"]
    try:
        return subprocess.run(words, capture_output=True, check=False, timeout=_TIMEOUT).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
