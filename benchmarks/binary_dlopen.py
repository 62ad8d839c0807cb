"""Verdicts against the loader itself: does an extension load where the verdict says it does?

    python benchmarks/binary_dlopen.py ENV PACKAGE==VERSION...

ENV is a virtual environment with torch. Each wheel is read for a verdict, then unpacked into a temporary
folder, and its compiled files are loaded with RTLD_NOW by ENV's own Python after `import torch`. Nothing is
installed. Exit code 1 if a verdict and the loader differ.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from mmlock.binary.environment import find_site_packages, read_environment
from mmlock.binary.inspect import inspect_wheel
from mmlock.binary.model import Answer, Inspected
from mmlock.binary.tables import TorchSymbols
from mmlock.binary.verdict import verdict
from mmlock.facts.locate import locate
from mmlock.facts.matrix.load import open_matrix
from mmlock.net.fetching import Fetched, Limits
from mmlock.net.http import Client

LOADER = """
import ctypes, json, sys, torch
told, waiting = {}, sys.argv[1:]
while waiting:  # a package loads its own libraries first: those that fail are tried again after the others
    told.update({path: None for path in waiting})
    for path in waiting:
        try:
            ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL | 2)
        except OSError as error:
            told[path] = str(error)
    failed = [path for path in waiting if told[path]]
    waiting = failed if len(failed) < len(waiting) else []
print(json.dumps(told))
"""


def load(python: Path, files: Sequence[Path]) -> dict[str, str | None]:
    """What the loader says of each file; None where it loads."""
    words = [str(python), "-W", "ignore", "-c", LOADER, *map(str, files)]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    told: dict[str, str | None] = json.loads(ran.stdout.splitlines()[-1])
    return told


def compare(env: Path, torch: TorchSymbols, client: Client, spec: str) -> bool:
    """One wheel: whether verdict and loader agree."""
    place = locate(open_matrix(), client, spec, "3.11")
    found = inspect_wheel(place.where, client=client)
    assert isinstance(found, Inspected), found
    told = verdict(found, torch)
    answer = client.get(place.where)
    assert isinstance(answer, Fetched), answer
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / "wheel.zip"
        wheel.write_bytes(answer.body)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        files = [Path(folder) / one.path for one in found.extensions if one.torch_needs]
        said = load(env / "bin" / "python", files)
    errors = [error for error in said.values() if error]
    loads = Answer.FAILS if errors else Answer.HOLDS
    findings = (told.libraries, told.symbols)
    why = "; ".join(text for one in findings if one.answer is not Answer.HOLDS for text in one.evidence)
    # A verdict that says it does not know claims nothing.
    agree = told.loads in {loads, Answer.UNKNOWN}
    mark = "" if agree else "  DIFFER"
    print(f"{spec} beside torch {torch.facts.build}: verdict {told.loads}, loader {loads}{mark}")
    parts = {"declared": told.declared, "libraries": told.libraries, "symbols": told.symbols}
    print(f"  {'; '.join(f'{label} {finding.answer}' for label, finding in parts.items())}")
    if why:
        print(f"  verdict: {why[:200]}")
    if errors:
        print(f"  loader:  {errors[0].replace(folder, '')[:200]}")
    return agree


def main() -> int:
    """Compare every wheel named on the command line."""
    env = Path(sys.argv[1])
    site = find_site_packages(env)
    assert site is not None, f"{env} is no environment"
    torch = read_environment(site).torch
    assert torch is not None, f"{env} has no torch"
    with Client(limits=Limits(max_bytes=1_000_000_000)) as client:
        agree = [compare(env, torch, client, spec) for spec in sys.argv[2:]]
    print(f"{sum(agree)} of {len(agree)} agree")
    return 0 if all(agree) else 1


if __name__ == "__main__":
    sys.exit(main())
