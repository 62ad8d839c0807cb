"""The body of the notebook cell. It is alone and runs in the notebook's own Python (3.8 and newer).

`set_up(lock)` makes the running environment what the lock says: it removes what shadows the lock's packages,
installs by hash only what is not right yet, tells whether the kernel must restart and why, and imports
everything in a fresh process. It replaces nothing by a are-in: what is missing ends the cell.
"""
# ruff: noqa: FURB188, PLW1510, PTH100, PTH113, PTH118, PTH123, RUF005, T201, UP006, UP022, UP035

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
from typing import Any, Dict, List

PROBE = """
import importlib, json, sys
answers = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
        answers[name] = ""
    except BaseException as error:
        answers[name] = type(error).__name__ + ": " + str(error)
print("\\n" + json.dumps(answers))
"""


def set_up(lock: Dict[str, Any]) -> Dict[str, Any]:
    """Do all of it and give what was done. Raises SystemExit with the reason when it cannot be done."""
    require_python(lock["python"])
    installed = find_installed()
    shadows = [name for name in lock["shadows"] if name in installed]
    wanted = [p for p in lock["packages"] if installed.get(p["name"]) != p["version"]]
    replaced = shadows + [p["name"] for p in wanted if p["name"] in installed]
    stale = loaded_modules(replaced)
    right = len(lock["packages"]) - len(wanted)
    print("mmlock: {} of {} packages are right already".format(right, len(lock["packages"])))
    if shadows:
        print("mmlock: removing what shadows them: " + ", ".join(shadows))
        run_pip(["uninstall", "--yes"] + shadows)
    if wanted:
        print("mmlock: installing " + ", ".join(p["name"] + " " + p["version"] for p in wanted))
        install(wanted, lock["wheels"])
    os.environ.update(lock["environment"])
    for name, value in sorted(lock["environment"].items()):
        print(f"mmlock: set {name}={value}")
    failures = check(lock["imports"])
    restart = tell_restart(stale)
    if failures:
        raise SystemExit("mmlock: these cannot be imported: " + "; ".join(failures))
    return {"installed": [p["name"] for p in wanted], "removed": shadows, "restart": restart}


def require_python(python: str) -> None:
    """End the cell in a Python that the lock is not for."""
    here = "{}.{}".format(*sys.version_info[:2])
    if here != python.rstrip("t"):
        raise SystemExit(
            f"mmlock: this notebook runs Python {here}, the lock is for {python}. Make another one: "
            f"mmlock solve --python {here} ..."
        )


def canonical(name: str) -> str:
    """A distribution name in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_installed() -> Dict[str, str]:
    """Version by name of what this environment holds."""
    found = {}  # type: Dict[str, str]
    for dist in importlib.metadata.distributions():
        name = dist.metadata["Name"]
        if name:
            found.setdefault(canonical(name), dist.version)
    return found


def loaded_modules(names: List[str]) -> List[str]:
    """Modules that this kernel has imported from distributions that will change."""
    found = []
    for name in names:
        dist = importlib.metadata.distribution(name)
        tops = {str(path).split("/")[0] for path in dist.files or ()}
        tops = {top[:-3] if top.endswith(".py") else top for top in tops}
        found += [f"{top} {dist.version}" for top in sorted(tops & set(sys.modules)) if top[:1] != "_"]
    return found


def install(packages: List[Dict[str, str]], wheels: str) -> None:
    """Install exactly these files; pip refuses any whose hash is another."""
    lines = []
    for package in packages:
        url = package["url"]
        if "://" not in url:
            path = os.path.join(wheels, package["file"])
            if not os.path.isfile(path):
                raise SystemExit(
                    f"mmlock: `{package['file']}` is not in `{wheels}`. It was built for this lock: put the"
                    " folder `wheels` of the lock there (a data set, a drive), or name its place in WHEELS."
                )
            url = "file://" + os.path.abspath(path).replace(" ", "%20")
        lines.append(f"{package['name']} @ {url} --hash=sha256:{package['sha256']}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "requirements.txt")
        with open(path, "w") as stream:
            stream.write("\n".join(lines) + "\n")
        run_pip(["install", "--no-deps", "--require-hashes", "-r", path])


def run_pip(words: List[str]) -> None:
    """Run pip in this environment; its last words end the cell when it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"] + words
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if ran.returncode:
        said = ran.stdout.decode("utf-8", "replace").strip()
        raise SystemExit("mmlock: pip failed:\n" + "\n".join(said.splitlines()[-15:]))


def check(imports: List[str]) -> List[str]:
    """Import everything in a fresh process: this one may still hold old modules."""
    command = [sys.executable, "-c", PROBE, json.dumps(imports)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        answers = json.loads(ran.stdout.decode("utf-8", "replace").strip().splitlines()[-1])
    except (ValueError, IndexError):
        return [
            "the check ended with {}: {}".format(ran.returncode, ran.stderr.decode("utf-8", "replace")[-500:])
        ]
    for name, why in answers.items():
        print("mmlock: import {}: {}".format(name, why or "ok"))
    return [f"{name} ({why})" for name, why in answers.items() if why]


def tell_restart(stale: List[str]) -> bool:
    """Say whether the kernel must restart, and why."""
    if not stale:
        print("mmlock: no restart is needed: nothing that changed was imported before")
        return False
    names = ", ".join(stale)
    print(f"mmlock: RESTART THE KERNEL, then run this cell again. It has imported {names}")
    print("mmlock: and keeps using that until it restarts; the files on disk are other ones now.")
    return True
