"""Matrix files to break, and the faults that the lint finds in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmlock.facts.matrix.lint import MatrixFault, canonical, lint

CAPABILITY = {
    "sm": "sm_75",
    "family": "Turing",
    "machine": "x86_64",
    "first_cuda": "10.0",
    "last_cuda": None,
    "tegra": False,
    "source": ["nv"],
    "confidence": "documented",
}
GPU = {
    "name": "T4",
    "aliases": [],
    "sm": "sm_75",
    "family": "Turing",
    "segment": "datacenter",
    "source": ["nv"],
    "confidence": "documented",
}
FILE = {
    "name": "mmcv-2.1.0.tar.gz",
    "url": "https://files.pythonhosted.org/mmcv-2.1.0.tar.gz",
    "sha256": None,
    "size": None,
    "requires_python": None,
    "yanked": False,
    "source": ["nv"],
    "confidence": "captured",
}
BUILD = {
    "torch": "2.11.0",
    "variant": "cu130",
    "platform": "linux_x86_64",
    "cuda": "13.0",
    "on_pypi": True,
    "index": "https://pypi.org/simple",
    "archs": ["sm_75"],
    "ptx": [],
    "cxx11_abi": 1,
    "glibc": "2.28",
    "cudart": None,
    "pythons": ["3.12"],
    "source": ["nv"],
    "confidence": "measured",
}
BREAK = """
schema = "breaks"
[sources]
nv = "a page"
[[rows]]
id = "b"
title = "t"
when = [{ package = "torch", versions = "<2.3" }]
symptom = "s"
fix = "f"
constraints = ["numpy<2"]
source = ["nv"]
confidence = "inferred"
"""
RECIPE = """
schema = "recipes"
[sources]
nv = "a page"
[[rows]]
id = "r"
package = "mmcv"
versions = ">=2.1.0"
torch = "<2.14"
pythons = "<3.13"
std = 17
kinds = ["cuda"]
build_requires = ["setuptools<82"]
env = {}
patches = []
check = ["file:mmcv/_ext*.so"]
memory_mb = 3000
source = ["nv"]
confidence = "inferred"
[[rows.verified]]
version = "2.1.0"
torch = "2.11.0"
variant = "cu130"
python = "3.12"
how = "built"
"""


def document(schema: str, *rows: dict[str, Any], **other: Any) -> bytes:
    return canonical({"schema": schema, "sources": {"nv": "a page"}, "rows": list(rows), **other})


def faults(tmp_path: Path, **files: str | bytes) -> list[MatrixFault]:
    """Faults of a folder with these files; that all others are missing is left out."""
    for name, content in files.items():
        path = tmp_path / name.replace("__", "/").replace("_json", ".json").replace("_toml", ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [problem for problem in lint(tmp_path) if problem.message != "the file is missing"]


def only(problems: list[MatrixFault]) -> MatrixFault:
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]
