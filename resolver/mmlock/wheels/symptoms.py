"""What a build log says about why a build failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

_ERROR = re.compile(r"(?:\berror\b|\bError\b|fatal|FAILED|undefined reference|cannot find)")
_NOISE = re.compile(
    r"error: subprocess-exited|note: This error|metadata-generation|Failed building wheel"
    r"|\[end of output\]|Preparing metadata|Building wheel for|Getting requirements to build"
)


class Symptom(Struct, frozen=True, kw_only=True):
    """A text in a log and what it means."""

    pattern: str
    cause: str
    hint: str


SYMPTOMS: Sequence[Symptom] = (
    Symptom(
        pattern=r"No space left on device",
        cause="the disk is full",
        hint="`mmlock wheelhouse prune` frees what old builds left, or set MMLOCK_CACHE_DIR elsewhere",
    ),
    Symptom(
        pattern=r"Killed signal terminated program|\bKilled\b(?:(?!Killed).)*(?:cc1plus|nvcc|cicc|ptxas)"
        r"|virtual memory exhausted|out of memory allocating|std::bad_alloc|died due to signal 9",
        cause="a compile job was killed, most likely because memory ran out",
        hint="run again with fewer jobs: `--jobs 1`; it goes on where it stopped",
    ),
    Symptom(
        pattern=r"unsupported GNU version|unsupported (?:clang|host) compiler",
        cause="nvcc refuses this host compiler",
        hint="name an older one: `CC=gcc-12 CXX=g++-12 mmlock build ...`",
    ),
    Symptom(
        pattern=r"Unsupported gpu architecture|Value 'sm_\w+' is not defined for option",
        cause="this nvcc does not know a GPU arch that was asked for",
        hint="the toolkit is too old (or too new) for that GPU: solve again, or install another toolkit",
    ),
    Symptom(
        pattern=r"cannot find -l\w+",
        cause="the linker does not find a library",
        hint="a system toolkit lacks its development files: install the `-dev` packages of CUDA",
    ),
    Symptom(
        pattern=r"fatal error: Python\.h: No such file",
        cause="this Python has no headers",
        hint="install them (`apt-get install python3-dev`), or use a Python of uv: `uv python install`",
    ),
    Symptom(
        pattern=r"C\+\+(?:14|17|20) or later compatible compiler is required",
        cause="the C++ standard of the sources is too old for the headers of this torch",
        hint="the recipe lacks a patch for it: correct it in `matrices/`, then solve again",
    ),
    Symptom(
        pattern=r"detected CUDA version \([^()]*\) mismatches the version that was used to compile",
        cause="the CUDA toolkit is another one than torch was built with",
        hint="set CUDA_HOME to the toolkit that the lock names",
    ),
    Symptom(
        pattern=r"No module named '?pkg_resources",
        cause="setup.py imports pkg_resources, which setuptools 82 dropped",
        hint="the recipe must ask for `setuptools<82`",
    ),
    Symptom(
        pattern=r"Could not resolve host|Temporary failure in name resolution|Network is unreachable",
        cause="the build script wanted the network, which a build has not",
        hint="what it wants must be named in the recipe; `--network` allows it for once",
    ),
)


def diagnose(lines: Iterable[str]) -> tuple[list[str], list[str]]:
    """(causes, hints) from the end of a log: known symptoms first, then the first errors as they stand."""
    rows = list(lines)
    text = "\n".join(rows)
    found = [symptom for symptom in SYMPTOMS if re.search(symptom.pattern, text)]
    errors = [row.strip() for row in rows if _ERROR.search(row) and not _NOISE.search(row)]
    told = list(dict.fromkeys(row[:300] for row in errors))[:3]
    if not told:
        told = [row.strip()[:300] for row in rows if row.strip()][-2:]
    return [symptom.cause for symptom in found] + told, [symptom.hint for symptom in found]
