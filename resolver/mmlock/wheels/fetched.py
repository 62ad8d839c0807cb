"""What a downloaded wheel must be before a lock may hold it: no less than a built one.

Code of a wheel can do anything once it is imported; no check changes that. These make sure that it is the
wheel that was solved for, that it is whole, that every installer unpacks the same from it, and that it writes
nowhere but into its own folders of `site-packages`:

* top-level folders and modules belong to the package; those of another one, of Python or of an installer are
  refused, and what nobody is known to own is reported as not checked;
* nothing else may lie at the top: no `.pth`, which Python runs at every start;
* of `NAME.data` only `purelib` and `platlib` are taken: scripts, headers and data go outside;
* a command that it adds may not stand in for `python` or `pip`.
"""

from __future__ import annotations

import configparser
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from email.parser import HeaderParser

from msgspec import Struct, field
from packaging.tags import Tag, parse_tag

from mmlock.binary.gpu_verdict import gpu_finding
from mmlock.binary.libraries import judge_libraries
from mmlock.binary.model import Answer, ArguedAnswer, Inspected, PtxDriver
from mmlock.binary.python_verdict import judge_python
from mmlock.binary.tables import TorchSymbols
from mmlock.binary.verdict import judge_symbols
from mmlock.core.device import Code
from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import PackageName, normalize
from mmlock.files.names import UnsafeNameError, bare_file_name
from mmlock.lock.model import FetchStep, LockedEnv
from mmlock.resolve.closure.tags import target_tags
from mmlock.wheels.checks import (
    Examined,
    failed,
    glibc_of,
    identity_check,
    inspect_file,
    passed,
    recipe_checks,
    tags_check,
    unknown,
)
from mmlock.wheels.model import CheckStatus, WheelTest
from mmlock.wheels.wheel_file import WheelFacts
from mmlock.wheels.wheel_record import record_faults
from mmlock.wheels.wheel_zip import read_text

__all__ = ["Beside", "examine_fetched", "refuse_fetched"]

_TORCH = PackageName("torch")
_INSTALLERS = frozenset(
    {"_distutils_hack", "distutils-precedence", "easy_install", "pip", "pkg_resources", "setuptools", "site",
     "sitecustomize", "usercustomize", "wheel"}
)  # fmt: skip
"""Modules that run, or are trusted, before anything of the environment is imported."""
_INSIDE = frozenset({"purelib", "platlib"})
_COMMANDS = re.compile(r"(?:python|pip|easy_install|activate)", re.IGNORECASE)
_LINUX = re.compile(r"(?:many|musl)?linux(?:\d+|_\d+_\d+)?_")
_MODULES = (".py", ".so", ".pyd")
_SHOWN = 6


class Beside(Struct, frozen=True, kw_only=True):
    """What is known around a wheel that is downloaded."""

    env: LockedEnv
    patterns: tuple[str, ...] = ()
    """What its recipes expect of a wheel of this release: `file:mmcv/_ext*.so`."""
    owners: Mapping[str, AbstractSet[PackageName]] = field(default_factory=dict)
    """The distributions that may bring an import name."""
    torch: TorchSymbols | None = None
    """What the torch of the lock exports; None: that is not recorded."""
    drivers: Mapping[str, PtxDriver] = field(default_factory=dict)


def examine_fetched(facts: WheelFacts, step: FetchStep, beside: Beside) -> Examined:
    """Look at a wheel without running anything of it. All of it is read: checksums are compared, too."""
    inspected = None
    if facts.libraries and step.package != _TORCH:
        inspected = inspect_file(facts.path)
    checks = (
        identity_check(facts, step.package, step.version),
        _folder(facts),
        tags_check(facts, beside.env.python, beside.patterns),
        _platform(facts, beside.env),
        _tags_inside(facts),
        *recipe_checks(facts, beside.patterns),
        _record(facts),
        *_top_level(facts, step, beside),
        *_commands(facts),
        *_binaries(facts, inspected, step, beside),
    )
    return Examined(checks=checks, glibc=glibc_of(inspected))


def refuse_fetched(facts: WheelFacts, checks: Sequence[WheelTest], origin: str) -> None:
    """Raise EnvironmentFault when a check failed."""
    wrong = [check for check in checks if check.status is CheckStatus.FAILED]
    if wrong:
        raise EnvironmentFault(
            f"`{facts.path.name}` from {origin} is not the wheel that was solved for",
            causes=[f"{check.name}: {check.detail}" for check in wrong],
            hints=["it was removed and nothing of it was run; tell whoever runs that index"],
        )


# ---------------------------------------------------------------- names and tags


def _folder(facts: WheelFacts) -> WheelTest:
    """Installers look for metadata by the file's name; uv and pip do not agree on what to do with others."""
    name = "dist-info"
    folders = sorted({member.split("/")[0] for member in facts.members if ".dist-info/" in member})
    own = [f for f in folders if f == facts.dist_info]
    stem, _, version = facts.dist_info.removesuffix(".dist-info").partition("-")
    if len(folders) != 1 or not own:
        return failed(name, f"it holds {len(folders)} of them: {', '.join(folders[:_SHOWN])}")
    said = facts.path.name.split("-")[:2]
    # A project may add the build to the name of a finished wheel (`+cu12torch2.8`); installers take it so.
    named = {normalize(said[1]), normalize(said[1].partition("+")[0])}
    if normalize(stem) != facts.name or normalize(version) not in named:
        return failed(name, f"`{facts.dist_info}` does not belong to `{facts.path.name}`")
    return passed(name, facts.dist_info)


def _platform(facts: WheelFacts, env: LockedEnv) -> WheelTest:
    name = "platform"
    fitting = frozenset(target_tags(env.python, env.target.platform, env.target.glibc))
    tags = ", ".join(sorted(str(tag) for tag in facts.tags))
    if facts.tags & fitting or {_plain(tag) for tag in facts.tags} & {_plain(tag) for tag in fitting}:
        return passed(name, tags)
    return failed(name, f"{tags} is not for Python {env.python} on {env.target.platform.value}")


def _tags_inside(facts: WheelFacts) -> WheelTest:
    """WHEEL and the file name must say the same, but for which Linux: files are renamed after the build."""
    name = "tags in WHEEL"
    try:
        with zipfile.ZipFile(facts.path) as archive:
            headers = HeaderParser().parsestr(read_text(archive, f"{facts.dist_info}/WHEEL"))
    except (KeyError, zipfile.BadZipFile) as error:
        return failed(name, f"there is no readable WHEEL: {error}")
    if not str(headers["Wheel-Version"] or "").strip().startswith("1."):
        return failed(name, f"Wheel-Version is {headers['Wheel-Version']!r}, installers know 1.x")
    told: set[Tag] = set()
    for text in headers.get_all("Tag") or ():
        try:
            told |= parse_tag(str(text).strip())
        except ValueError:
            return failed(name, f"`{text}` is no tag")
    if {_plain(tag) for tag in told} != {_plain(tag) for tag in facts.tags}:
        said = ", ".join(sorted(str(tag) for tag in told)) or "none"
        return failed(name, f"it says {said}, its file name {', '.join(sorted(str(t) for t in facts.tags))}")
    return passed(name, ", ".join(sorted(str(tag) for tag in told)))


def _plain(tag: Tag) -> tuple[str, str, str]:
    """A tag with `manylinux1_`, `manylinux_2_28_` and `linux_` as one."""
    return tag.interpreter, tag.abi, _LINUX.sub("linux_", tag.platform)


# ---------------------------------------------------------------- what is in it


def _record(facts: WheelFacts) -> WheelTest:
    name = "RECORD"
    faults = []
    for fault in record_faults(facts.path):
        faults.append(fault)
        if len(faults) == _SHOWN:
            break
    return failed(name, "; ".join(faults)) if faults else passed(name, f"{len(facts.members)} files")


def _top_level(facts: WheelFacts, step: FetchStep, beside: Beside) -> Iterator[WheelTest]:
    name = "top-level names"
    wrong: list[str] = []
    doubtful: list[str] = []
    held = {p.name for p in beside.env.packages} | {s.package for s in beside.env.steps}
    for top, path in _tops(facts, wrong).items():
        if why := _foreign(top, path, step.package, held, beside.owners):
            wrong.append(why)
        elif not _own(top, step.package, beside.owners):
            doubtful.append(top)
    if wrong:
        yield failed(name, "; ".join(wrong[:_SHOWN]))
    elif doubtful:
        yield unknown(name, f"whether {', '.join(sorted(doubtful))} belong to {step.package} is not recorded")
    else:
        yield passed(name, "its own")


def _tops(facts: WheelFacts, wrong: list[str]) -> dict[str, str]:
    """What becomes a name in `site-packages`, each with a member; what may not be there goes to `wrong`."""
    tops: dict[str, str] = {}
    data = facts.dist_info.removesuffix(".dist-info") + ".data"
    for member in facts.members:
        parts = member.split("/")
        if parts[0] == facts.dist_info:
            continue
        if parts[0] == data:
            if len(parts) < 3 or parts[1] not in _INSIDE:  # noqa: PLR2004  NAME.data, KEY, and a name
                wrong.append(f"`{member}` is installed outside of site-packages")
                continue
            parts = parts[2:]
        if len(parts) > 1:
            tops.setdefault(parts[0], member)
        elif parts[0].endswith(_MODULES):
            tops.setdefault(parts[0].split(".")[0], member)
        else:
            wrong.append(f"`{member}` is neither a module nor in a folder of one")
    return tops


def _foreign(
    top: str,
    path: str,
    package: PackageName,
    held: AbstractSet[str],
    owners: Mapping[str, AbstractSet[PackageName]],
) -> str | None:
    """Why a name is another one's; None when it is not known to be."""
    if top in owners:
        others = owners[top]
        return None if package in others else f"`{path}` is in the folder of {', '.join(sorted(others))}"
    name = normalize(top)
    if name == package:
        return None
    if top in sys.stdlib_module_names or top in _INSTALLERS:
        return f"`{path}` takes the place of a module of Python or of its installers"
    if top.endswith((".dist-info", ".egg-info", ".data")):
        return f"`{path}` is the metadata of another package"
    if name in held:
        return f"`{path}` is in the folder of {name}"
    return None


def _own(top: str, package: PackageName, owners: Mapping[str, AbstractSet[PackageName]]) -> bool:
    """Whether a name is known to be the package's: its modules, its own name, what auditwheel adds."""
    if package in owners.get(top, frozenset()):
        return True
    names = {package, *(normalize(module) for module, those in owners.items() if package in those)}
    name = normalize(top.removesuffix(".libs"))
    return name in names or any(name.startswith(f"{one}-") for one in names)


def _commands(facts: WheelFacts) -> Iterator[WheelTest]:
    path = f"{facts.dist_info}/entry_points.txt"
    if path not in facts.members:
        return
    name = "commands"
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        with zipfile.ZipFile(facts.path) as archive:
            parser.read_string(read_text(archive, path))
    except (configparser.Error, zipfile.BadZipFile) as error:
        yield failed(name, f"its entry_points.txt cannot be read: {' '.join(str(error).split())}")
        return
    sections = [part for part in ("console_scripts", "gui_scripts") if parser.has_section(part)]
    commands = [command for section in sections for command in parser.options(section)]
    wrong = [command for command in commands if _COMMANDS.match(command) or not _bare(command)]
    if wrong:
        yield failed(name, f"it adds {', '.join(ascii(command) for command in wrong[:_SHOWN])}")
    elif commands:
        yield passed(name, ", ".join(sorted(commands)))


def _bare(text: str) -> bool:
    try:
        bare_file_name(text)
    except UnsafeNameError:
        return False
    return True


# ---------------------------------------------------------------- compiled files


def _binaries(
    facts: WheelFacts, inspected: Inspected | str | None, step: FetchStep, beside: Beside
) -> Iterator[WheelTest]:
    torch = beside.env.torch
    name = f"compiled files beside torch {torch}"
    if step.package == _TORCH:
        yield unknown(
            "GPU archs", "those of torch itself are facts of its build; its files are not read here"
        )
        return
    if not facts.libraries:
        return
    if inspected is None or isinstance(inspected, str):
        yield unknown(name, inspected or "they were not read")
        return
    if beside.torch is None:
        yield unknown(name, f"the names that torch {torch} exports are not recorded")
    else:
        yield _told("libraries", judge_libraries(inspected, beside.torch.facts, frozenset()))
        yield _told("torch symbols", judge_symbols(inspected, beside.torch))
    python = judge_python(inspected, beside.env.python)
    if python.answer is Answer.FAILS:
        yield _told("Python of its files", python)
    for device in beside.env.target.devices:
        if device.capability is not None:
            gpu = gpu_finding(inspected, device, beside.drivers)
            made = {Code.NONE: failed, Code.UNKNOWN: unknown}.get(gpu.code, passed)
            yield made(f"GPU code for {device.name}", "; ".join(gpu.evidence[:2]) or gpu.code.value)


def _told(name: str, finding: ArguedAnswer) -> WheelTest:
    said = "; ".join((*finding.evidence[:2], *finding.names[:2])) or "nothing to compare"
    return {Answer.HOLDS: passed, Answer.FAILS: failed, Answer.UNKNOWN: unknown}[finding.answer](name, said)
