"""What a built wheel must be before it may enter the wheelhouse: each check is a question with its answer."""

from __future__ import annotations

import re
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.version import InvalidVersion, Version

from mmlock.core.errors import EnvironmentFault
from mmlock.core.json_object import json_object
from mmlock.core.names import normalize
from mmlock.wheels.model import BuildPlan, CheckStatus, WheelTest
from mmlock.wheels.wheel_file import WheelFacts

if TYPE_CHECKING:
    from mmlock.binary.model import Inspected

_PROBE = Path(__file__).with_name("load_probe.py")
_PROBE_SECONDS = 300
_GPU = "GPU archs"


class Examined(Struct, frozen=True, kw_only=True):
    """The answers, and what the binaries turned out to need."""

    checks: tuple[WheelTest, ...]
    glibc: str | None
    """Highest glibc version that its files ask for; None where it is not known."""


def examine(facts: WheelFacts, plan: BuildPlan) -> Examined:
    """Look at a wheel without running anything of it."""
    inspected = inspect_file(facts.path) if facts.libraries else None
    step = plan.step
    checks = (
        identity_check(facts, step.package, step.version),
        tags_check(facts, plan.python, step.check),
        *recipe_checks(facts, step.check),
        *_archs(facts, plan, inspected),
        *_needs_glibc(inspected),
    )
    return Examined(checks=checks, glibc=glibc_of(inspected))


def refuse_failed(facts: WheelFacts, checks: tuple[WheelTest, ...], log: Path) -> None:
    """Raise EnvironmentFault when a check failed: such a wheel is kept out of the wheelhouse."""
    failed = [check for check in checks if check.status is CheckStatus.FAILED]
    if failed:
        raise EnvironmentFault(
            f"the build made another wheel than the requested one: `{facts.path.name}`",
            causes=[f"{check.name}: {check.detail}" for check in failed],
            hints=[f"it was not put into the wheelhouse; the whole log is `{log}`"],
        )


def passed(name: str, detail: str) -> WheelTest:
    """The question was asked and the answer is good."""
    return WheelTest(name=name, status=CheckStatus.PASSED, detail=detail)


def failed(name: str, detail: str) -> WheelTest:
    """Such a wheel is not used."""
    return WheelTest(name=name, status=CheckStatus.FAILED, detail=detail)


def unknown(name: str, detail: str) -> WheelTest:
    """Nobody knows, and the report says so."""
    return WheelTest(name=name, status=CheckStatus.NOT_CHECKED, detail=detail)


# ---------------------------------------------------------------- name, Python, files


def identity_check(facts: WheelFacts, package: str, version: str) -> WheelTest:
    """Whether it is the release that was requested, by its own METADATA."""
    name = "name and version"
    said = f"{facts.metadata_name} {facts.metadata_version}"
    try:
        found, wanted = Version(facts.metadata_version), Version(version)
    except InvalidVersion:
        return failed(name, f"it says {said}, requested: {package} {version}")
    local = found.local == wanted.local or not (found.local and wanted.local)
    if normalize(facts.metadata_name) == package and found.public == wanted.public and local:
        return passed(name, said)
    return failed(name, f"it says {said}, requested: {package} {version}")


def tags_check(facts: WheelFacts, python: str, patterns: Sequence[str]) -> WheelTest:
    """Whether the tags are for the Python of the lock; `patterns` say whether compiled code is expected."""
    name = "tags"
    tags = ", ".join(sorted(str(tag) for tag in facts.tags))
    wants_code = any(text.startswith("file:") and _is_code(text) for text in patterns)
    if facts.pure:
        if not wants_code:
            return passed(name, tags)
        return failed(
            name,
            f"{tags} says that it runs anywhere: it was built without its compiled part,"
            " as happens when torch cannot be imported during the build",
        )
    if not facts.libraries and wants_code:
        return failed(name, f"{tags}, but there is no compiled file in it")
    abi = "cp" + python.replace(".", "")
    fits = any(tag.interpreter == abi.removesuffix("t") or tag.abi in {"abi3", "none"} for tag in facts.tags)
    return passed(name, tags) if fits else failed(name, f"{tags} is not for Python {python}")


def _is_code(check: str) -> bool:
    return check.endswith((".so", ".pyd"))


def recipe_checks(facts: WheelFacts, patterns: Sequence[str]) -> Iterator[WheelTest]:
    """The checks that a recipe names: `file:mmcv/_ext*.so`, `tag:cp312`."""
    for text in patterns:
        kind, _, value = text.partition(":")
        if kind == "file":
            # Recipes are written for Linux; on Windows the same module is a `.pyd`.
            forms = (value, value.removesuffix(".so") + ".pyd") if value.endswith(".so") else (value,)
            found = [name for name in facts.members if any(fnmatchcase(name, form) for form in forms)]
            missing = f"there is no `{value}` in the wheel"
            yield passed(text, found[0]) if found else failed(text, missing)
        elif kind == "tag":
            tags = {tag.interpreter for tag in facts.tags}
            wanted = value.removesuffix("t")
            wrong = f"its tags are for {', '.join(sorted(tags))}"
            yield passed(text, wanted) if wanted in tags else failed(text, wrong)
        else:
            yield unknown(text, "this mmlock does not know such a check")


# ---------------------------------------------------------------- what the binaries say


def inspect_file(path: Path) -> Inspected | str:
    """What the compiled files of a wheel say, or why they cannot be read."""
    from mmlock.binary.inspect import inspect_wheel
    from mmlock.binary.model import Inspected

    found = inspect_wheel(path)
    return found if isinstance(found, Inspected) else found.why


def _archs(facts: WheelFacts, plan: BuildPlan, inspected: Inspected | str | None) -> Iterator[WheelTest]:
    """Whether there is GPU code for each arch that was requested."""
    if not plan.archs:
        return
    if isinstance(inspected, str):
        yield unknown(_GPU, inspected)
        return
    codes = [ext.gpu_code for ext in inspected.extensions if ext.gpu_code is not None] if inspected else []
    if not codes:
        yield failed(
            _GPU, f"no GPU code in {', '.join(facts.libraries) or 'it'}; asked was {';'.join(plan.archs)}"
        )
        return
    cubins = set.intersection(*(set(code.archs) for code in codes))
    ptx = set.intersection(*(set(code.ptx) for code in codes))
    yield arch_check(plan.archs, cubins, ptx)


def arch_check(asked: Sequence[str], cubins: AbstractSet[str], ptx: AbstractSet[str]) -> WheelTest:
    """Whether code for each asked arch (`9.0`, `12.0a`, `9.0+PTX`) is among what is held (`sm_90`)."""
    lacking = [f"sm_{_number(arch)}" for arch in asked if f"sm_{_number(arch)}" not in cubins]
    with_ptx = [f"compute_{_number(arch)}" for arch in asked if "+PTX" in arch]
    lacking += [name for name in with_ptx if name not in ptx]
    held = " ".join(sorted(cubins | ptx)) or "none"
    if lacking:
        return failed(_GPU, f"no kernels for {' '.join(lacking)}; it is built for {held}")
    return passed(_GPU, held)


def _number(arch: str) -> str:
    """`12.0` -> `120`, `9.0a+PTX` -> `90a`."""
    return arch.removesuffix("+PTX").replace(".", "")


def _needs_glibc(inspected: Inspected | str | None) -> Iterator[WheelTest]:
    if inspected is None:
        return
    if isinstance(inspected, str):
        yield unknown("glibc", inspected)
        return
    floors = _floors(inspected)
    text = ", ".join(f"{name} {version}" for name, version in sorted(floors.items()))
    yield (
        passed("libraries it needs", text) if text else unknown("libraries it needs", "its files do not say")
    )


def _floors(inspected: Inspected) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for extension in inspected.extensions:
        for name, version in extension.floors.items():
            if name not in found or _as_numbers(version) > _as_numbers(found[name]):
                found[name] = version
    return found


def _as_numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def glibc_of(inspected: Inspected | str | None) -> str | None:
    """The highest glibc version that compiled files ask for; None where that is not known."""
    if inspected is None or isinstance(inspected, str):
        return None
    return _floors(inspected).get("GLIBC")


# ---------------------------------------------------------------- loading


def load_check(
    facts: WheelFacts,
    plan: BuildPlan,
    venv: Path,
    environ: Mapping[str, str],
    shield: Callable[[Path], tuple[str, ...]],
) -> tuple[WheelTest, ...]:
    """Load every compiled file beside the torch it was built for: an unresolved symbol shows here."""
    if not facts.libraries:
        return ()
    name = f"loads beside torch {plan.torch}"
    with tempfile.TemporaryDirectory(prefix="mmlock-load-") as folder:
        with zipfile.ZipFile(facts.path) as archive:
            archive.extractall(folder)
        words = [
            *shield(Path(folder)),
            str(venv / "bin" / "python"),
            "-I",
            str(_PROBE),
            folder,
            *facts.libraries,
        ]
        try:
            ran = subprocess.run(
                words,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env=dict(environ),
                timeout=_PROBE_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return (unknown(name, str(error)),)
    try:
        answers: dict[str, str] = json_object(ran.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        tail = (ran.stderr.strip().splitlines() or [f"it ended with {ran.returncode}"])[-1]
        return (failed(name, tail) if ran.returncode < 0 else unknown(name, tail),)
    bad = {path: why for path, why in answers.items() if why}
    if bad:
        return tuple(failed(name, f"{path}: {why}") for path, why in sorted(bad.items()))
    return (passed(name, ", ".join(sorted(answers))),)
