"""The one table of solve options: what a user may state, under which name, and where it goes.

Made from it: the options of the command line, the keys of `mmlock.toml`, the request's own words in a
lock, and the reference pages. A new option is a field of `SolveArguments` and a row here.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from mmlock.core.names import StrEnum

__all__ = ["OPTIONS", "Kind", "Section", "SolveOption", "Wording", "of_section", "wordings"]

LOCK_FORMATS = ("pylock", "requirements", "conda-lock", "environment", "explicit")


class Kind(StrEnum):
    """What the value of an option is."""

    TEXT = "text"
    FLAG = "flag"
    PATH = "path"  # of a file or folder that is opened later
    REQUIREMENT = "requirement"  # PEP 508
    FILE = "file"  # with requirements or constraints; read with the request
    PROJECT = "project"  # a folder, or a pyproject.toml
    EXTENSION = "extension"  # `models/ops`, `NAME==1.0 @ models/ops`
    PACKAGE = "package"  # the name of a distribution
    INDEX = "index"  # `NAME=URL`
    PIN = "pin"  # `NAME=PACKAGE`: the index that alone may serve the package
    PLACE = "place"  # a folder, or the URL of a page with links


class Section(StrEnum):
    """The heading under which a help text shows an option."""

    INPUT = "What to lock"
    TARGET = "Target"
    CHOICE = "What the solver may choose"
    INDEX = "Package indexes"
    OUTPUT = "Output"


class Wording(StrEnum):
    """How an option appears in the words of a request, which a lock records."""

    NONE = "none"  # it is about files, surroundings or output, not about the environment
    BARE = "bare"  # the value alone
    OPTION = "option"  # `--name=value`; a flag as `--name`
    RANKED = "ranked"  # `--name=1:value`: the order counts


class SolveOption(Struct, frozen=True, kw_only=True):
    """One thing that a user may state."""

    name: str
    """On the command line, without its dashes; in the words of a request, too."""
    field: str | None
    """What it fills: a field of `SolveArguments`, `index.FIELD` of its index settings; None: it only says
    which part of another option counts."""
    section: Section
    help: str
    kind: Kind = Kind.TEXT
    metavar: str | None = None
    short: str | None = None
    repeatable: bool = False
    parameter: str = ""
    """What programs call it; empty: the name with underscores."""
    key: str | None = None
    """In `mmlock.toml`; None: there it is decided otherwise, see `why_no_key`."""
    why_no_key: str | None = None
    command_line: bool = True
    """Whether the command line has it."""
    wording: Wording = Wording.NONE

    @property
    def id(self) -> str:
        """Its name among values: unique in the table."""
        return self.parameter or self.name.replace("-", "_")


_INPUT = (
    SolveOption(
        name="with",
        parameter="with_",
        field="requirements",
        section=Section.INPUT,
        kind=Kind.REQUIREMENT,
        repeatable=True,
        metavar="REQ",
        key="requirements",
        wording=Wording.BARE,
        help="Add a requirement; the same as an argument.",
    ),
    SolveOption(
        name="requirements",
        parameter="files",
        field="requirements",
        section=Section.INPUT,
        kind=Kind.FILE,
        short="r",
        repeatable=True,
        metavar="FILE",
        key="requirement-files",
        help="Read a requirements file; `-` is stdin.",
    ),
    SolveOption(
        name="constraint",
        parameter="constraint_files",
        field="constraints",
        section=Section.INPUT,
        kind=Kind.FILE,
        short="c",
        repeatable=True,
        metavar="FILE",
        key="constraint-files",
        help="Read a constraints file: version bounds on packages, if they are needed at all.",
    ),
    SolveOption(
        name="constraint",
        parameter="constraints",
        field="constraints",
        section=Section.INPUT,
        kind=Kind.REQUIREMENT,
        repeatable=True,
        metavar="REQ",
        key="constraints",
        command_line=False,
        wording=Wording.OPTION,
        help="Bound the version of a package, if it is needed at all.",
    ),
    SolveOption(
        name="requires-python",
        field="requires_python",
        section=Section.INPUT,
        metavar="SPEC",
        key="requires-python",
        command_line=False,
        wording=Wording.OPTION,
        help="Bound the Python version, as `requires-python` of a project does.",
    ),
    SolveOption(
        name="project",
        field="project",
        section=Section.INPUT,
        kind=Kind.PROJECT,
        metavar="DIR",
        key="project",
        help="Lock what a project needs: its folder is scanned; of a pyproject.toml, only that is read.",
    ),
    SolveOption(
        name="config",
        parameter="configs",
        field="configs",
        section=Section.INPUT,
        repeatable=True,
        metavar="FILE",
        key="configs",
        help="Of the project, lock only what this config needs.",
    ),
    SolveOption(
        name="extra",
        parameter="extras",
        field=None,
        section=Section.INPUT,
        repeatable=True,
        metavar="NAME",
        key="extras",
        help="Add an extra of the project.",
    ),
    SolveOption(
        name="group",
        parameter="groups",
        field=None,
        section=Section.INPUT,
        repeatable=True,
        metavar="NAME",
        key="groups",
        help="Add a dependency group of the project.",
    ),
    SolveOption(
        name="extension",
        parameter="extensions",
        field="extensions",
        section=Section.INPUT,
        kind=Kind.EXTENSION,
        repeatable=True,
        metavar="DIR",
        key="extensions",
        wording=Wording.OPTION,
        help="Build an extension from a folder of your project, such as `models/ops`.",
    ),
    SolveOption(
        name="stack",
        field="stack",
        section=Section.INPUT,
        metavar="NAME",
        why_no_key="the name of a table in [stacks]",
        wording=Wording.OPTION,
        help="Lock a named set of requirements.",
    ),
    SolveOption(
        name="pre",
        field="prerelease",
        section=Section.INPUT,
        kind=Kind.FLAG,
        key="pre",
        wording=Wording.OPTION,
        help="Allow pre-releases.",
    ),
    SolveOption(
        name="upgrade",
        field="upgrade",
        section=Section.INPUT,
        kind=Kind.FLAG,
        short="U",
        why_no_key="`mmlock locks` always solves from scratch",
        help="Ignore the versions of an existing lock. By default they are preferred.",
    ),
    SolveOption(
        name="upgrade-package",
        parameter="upgrade_packages",
        field="upgrade_packages",
        section=Section.INPUT,
        kind=Kind.PACKAGE,
        short="P",
        repeatable=True,
        metavar="NAME",
        why_no_key="`mmlock locks` always solves from scratch",
        help="Ignore the version that an existing lock has of this package.",
    ),
)

_TARGET = (
    SolveOption(
        name="gpu",
        parameter="gpus",
        field="gpus",
        section=Section.TARGET,
        repeatable=True,
        metavar="NAME",
        key="gpus",
        wording=Wording.OPTION,
        help="A device (`rtx5090`, `a100`), `auto` or `cpu`. Repeatable: one lock runs on all of them.",
    ),
    SolveOption(
        name="python",
        field="python",
        section=Section.TARGET,
        metavar="X.Y",
        key="python",
        wording=Wording.OPTION,
        help="The Python version, such as `3.12`, or an interpreter that has it.",
    ),
    SolveOption(
        name="torch",
        field="torch",
        section=Section.TARGET,
        metavar="VERSION",
        key="torch",
        wording=Wording.OPTION,
        help="The torch version: `2.9.1`, `2.9`, `>=2.6`, `2.9.1+cu128`.",
    ),
    SolveOption(
        name="cuda",
        field="cuda",
        section=Section.TARGET,
        metavar="X.Y",
        key="cuda",
        wording=Wording.OPTION,
        help="The CUDA version that torch is built with.",
    ),
    SolveOption(
        name="driver",
        field="driver",
        section=Section.TARGET,
        metavar="VERSION",
        key="driver",
        wording=Wording.OPTION,
        help="The NVIDIA driver version of the machine.",
    ),
    SolveOption(
        name="platform",
        field="platform",
        section=Section.TARGET,
        metavar="NAME",
        key="platform",
        wording=Wording.OPTION,
        help="The platform: `linux_x86_64`, `linux_aarch64`, `win_amd64`, ...",
    ),
    SolveOption(
        name="glibc",
        field="glibc",
        section=Section.TARGET,
        metavar="X.Y",
        key="glibc",
        wording=Wording.OPTION,
        help="The glibc version of the machine.",
    ),
)

_CHOICE = (
    SolveOption(
        name="no-build",
        field="no_build",
        section=Section.CHOICE,
        kind=Kind.FLAG,
        key="no-build",
        wording=Wording.OPTION,
        help="Use existing wheels only; build nothing.",
    ),
    SolveOption(
        name="no-abi-check",
        field="no_abi_check",
        section=Section.CHOICE,
        kind=Kind.FLAG,
        key="no-abi-check",
        wording=Wording.OPTION,
        help="Do not read the compiled files of the chosen wheels.",
    ),
    SolveOption(
        name="allow-lite",
        field="allow_lite",
        section=Section.CHOICE,
        kind=Kind.FLAG,
        key="allow-lite",
        wording=Wording.OPTION,
        help="Accept packages without their compiled ops.",
    ),
    SolveOption(
        name="allow-torch-ops",
        field="allow_torch_ops",
        section=Section.CHOICE,
        kind=Kind.FLAG,
        key="allow-torch-ops",
        wording=Wording.OPTION,
        help="Accept slower ops in plain PyTorch.",
    ),
    SolveOption(
        name="op",
        parameter="torch_ops",
        field="torch_ops",
        section=Section.CHOICE,
        repeatable=True,
        metavar="NAME",
        key="ops",
        wording=Wording.OPTION,
        help="With --allow-torch-ops: an op of mmcv.ops that must be there; default all.",
    ),
    SolveOption(
        name="allow-sdist",
        field="allow_sdist",
        section=Section.CHOICE,
        kind=Kind.PACKAGE,
        repeatable=True,
        metavar="NAME",
        key="allow-sdist",
        wording=Wording.OPTION,
        help="Accept a source archive of this package, to be built when it is installed.",
    ),
    SolveOption(
        name="with-conda",
        field="with_conda",
        section=Section.CHOICE,
        kind=Kind.FLAG,
        key="with-conda",
        wording=Wording.OPTION,
        help="Take Python, torch and what is linked to it from conda channels, the rest from PyPI.",
    ),
    SolveOption(
        name="channel",
        parameter="channels",
        field="channels",
        section=Section.INDEX,
        repeatable=True,
        metavar="NAME",
        key="channels",
        wording=Wording.RANKED,
        help="With --with-conda: a conda channel, the first one first; default conda-forge.",
    ),
    SolveOption(
        name="no-known-cve",
        field="no_known_cve",
        section=Section.CHOICE,
        metavar="SEVERITY",
        key="no-known-cve",
        wording=Wording.OPTION,
        help="Choose no version with a known vulnerability as bad as this: `low`, `moderate`, `high`, "
        "`critical`. One that nobody rated counts as any.",
    ),
    SolveOption(
        name="allow-missing",
        field="allow_missing",
        section=Section.CHOICE,
        repeatable=True,
        metavar="NAME",
        key="allow-missing",
        wording=Wording.OPTION,
        help="Accept that nothing provides this module, which the project imports.",
    ),
    SolveOption(
        name="without",
        field="without",
        section=Section.CHOICE,
        repeatable=True,
        metavar="NAME",
        key="without",
        wording=Wording.OPTION,
        help="Of the project, leave out this module or package: only a tool or a demo needs it.",
    ),
    SolveOption(
        name="prefer",
        field="prefer",
        section=Section.CHOICE,
        repeatable=True,
        metavar="TERM",
        key="prefer",
        wording=Wording.RANKED,
        help="Put this objective first; repeat it for the next ones.",
    ),
    SolveOption(
        name="verdicts",
        field="verdicts",
        section=Section.CHOICE,
        kind=Kind.PATH,
        repeatable=True,
        metavar="DIR",
        key="verdicts",
        help="Prefer what the verdicts of these locks prove.",
    ),
    SolveOption(
        name="allowed-signers",
        field="allowed_signers",
        section=Section.CHOICE,
        kind=Kind.PATH,
        repeatable=True,
        metavar="FILE",
        why_no_key="`allowed-signers` in [trust]",
        help="Verdicts signed by the keys in this file count, besides your own.",
    ),
    SolveOption(
        name="matrices",
        field="matrices",
        section=Section.CHOICE,
        kind=Kind.PATH,
        metavar="DIR",
        why_no_key="`--matrices` of `mmlock locks` says it for all locks",
        help="Use these facts instead of those that came with mmlock.",
    ),
)

_INDEX = (
    SolveOption(
        name="index-url",
        field="index.index_url",
        section=Section.INDEX,
        metavar="URL",
        key="index-url",
        help="The main package index, instead of PyPI.",
    ),
    SolveOption(
        name="extra-index-url",
        field="index.extra_index_urls",
        section=Section.INDEX,
        repeatable=True,
        metavar="URL",
        key="extra-index-urls",
        help="Another index. It goes before the main one: what it has is never taken from there. "
        "To trust an index with some packages only, use --index and --index-package.",
    ),
    SolveOption(
        name="index",
        parameter="named_indexes",
        field="index.named",
        section=Section.INDEX,
        kind=Kind.INDEX,
        repeatable=True,
        metavar="NAME=URL",
        key="index",
        help="An index for the packages of its --index-package options only.",
    ),
    SolveOption(
        name="index-package",
        parameter="index_packages",
        field="index.named",
        section=Section.INDEX,
        kind=Kind.PIN,
        repeatable=True,
        metavar="NAME=PKG",
        why_no_key="`packages` of an [[index]]",
        help="Take this package from the --index of that name and from nowhere else.",
    ),
    SolveOption(
        name="no-index",
        field="index.no_index",
        section=Section.INDEX,
        kind=Kind.FLAG,
        key="no-index",
        help="Use no package index, only --find-links.",
    ),
    SolveOption(
        name="find-links",
        field="index.find_links",
        section=Section.INDEX,
        kind=Kind.PLACE,
        short="f",
        repeatable=True,
        metavar="PLACE",
        key="find-links",
        help="A folder or a page with wheels.",
    ),
    SolveOption(
        name="wheel-index",
        parameter="wheel_indexes",
        field="wheel_indexes",
        section=Section.INDEX,
        kind=Kind.PLACE,
        repeatable=True,
        metavar="PLACE",
        key="wheel-indexes",
        help="An index of compiled wheels, as `mmlock farm publish` writes it: a wheel there goes before a "
        "build.",
    ),
    SolveOption(
        name="offline",
        field="offline",
        section=Section.INDEX,
        kind=Kind.FLAG,
        why_no_key="`mmlock locks --offline` says it for all locks",
        help="Use only what was downloaded before.",
    ),
    SolveOption(
        name="exclude-newer",
        field="exclude_newer",
        section=Section.INDEX,
        metavar="DATE",
        key="exclude-newer",
        wording=Wording.OPTION,
        help="Ignore files uploaded after this date.",
    ),
)

_OUTPUT = (
    SolveOption(
        name="out",
        field="out",
        section=Section.OUTPUT,
        kind=Kind.PATH,
        metavar="DIR",
        why_no_key="`folder`/STACK/TARGET",
        help="Write the result here: the lock folder; default `lock`.",
    ),
    SolveOption(
        name="dry-run",
        field="dry_run",
        section=Section.OUTPUT,
        kind=Kind.FLAG,
        why_no_key="`mmlock locks --check` says it for all locks",
        help="Write nothing.",
    ),
    SolveOption(
        name="lock-format",
        parameter="lock_formats",
        field="lock_formats",
        section=Section.OUTPUT,
        repeatable=True,
        metavar="NAME",
        key="formats",
        help=f"The files to write: {', '.join(LOCK_FORMATS)}; default all.",
    ),
)

OPTIONS: tuple[SolveOption, ...] = (*_INPUT, *_TARGET, *_CHOICE, *_INDEX, *_OUTPUT)


def of_section(*sections: Section) -> Iterator[SolveOption]:
    """The options of the command line under these headings, in the order of the table."""
    return (option for option in OPTIONS if option.command_line and option.section in sections)


def wordings() -> Iterator[SolveOption]:
    """The options that appear in the words of a request."""
    return (option for option in OPTIONS if option.wording is not Wording.NONE)
