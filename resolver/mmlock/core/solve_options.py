"""The one table of solve options: what a user may state, under which name, and where it goes.

Made from it: the options of the command line, the keys of `mmlock.toml`, the request's own words in a
lock, and the reference pages. A new option is a field of `SolveArguments` and a row here.
"""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.core.index_options import INDEX
from mmlock.core.input_options import INPUT, TARGET
from mmlock.core.solve_option import OptionKind, OptionSection, SolveOption, Wording

__all__ = ["LOCK_FORMATS", "OPTIONS", "of_section", "wordings"]

LOCK_FORMATS = ("pylock", "requirements", "conda-lock", "environment", "explicit", "pixi-workspace")


_CHOICE = (
    SolveOption(
        name="no-build",
        field="no_build",
        section=OptionSection.CHOICE,
        kind=OptionKind.FLAG,
        key="no-build",
        wording=Wording.OPTION,
        help="Use existing wheels only; build nothing.",
    ),
    SolveOption(
        name="no-abi-check",
        field="no_abi_check",
        section=OptionSection.CHOICE,
        kind=OptionKind.FLAG,
        key="no-abi-check",
        wording=Wording.OPTION,
        help="Do not read the compiled files of the chosen wheels.",
    ),
    SolveOption(
        name="allow-lite",
        field="allow_lite",
        section=OptionSection.CHOICE,
        kind=OptionKind.FLAG,
        key="allow-lite",
        wording=Wording.OPTION,
        help="Accept packages without their compiled ops.",
    ),
    SolveOption(
        name="allow-torch-ops",
        field="allow_torch_ops",
        section=OptionSection.CHOICE,
        kind=OptionKind.FLAG,
        key="allow-torch-ops",
        wording=Wording.OPTION,
        help="Accept slower ops in plain PyTorch.",
    ),
    SolveOption(
        name="op",
        parameter="torch_ops",
        field="torch_ops",
        section=OptionSection.CHOICE,
        repeatable=True,
        metavar="NAME",
        key="ops",
        wording=Wording.OPTION,
        help="With --allow-torch-ops: an op of mmcv.ops that must be there; default all.",
    ),
    SolveOption(
        name="allow-sdist",
        field="allow_sdist",
        section=OptionSection.CHOICE,
        kind=OptionKind.PACKAGE,
        repeatable=True,
        metavar="NAME",
        key="allow-sdist",
        wording=Wording.OPTION,
        help="Accept a source archive of this package, to be built when it is installed.",
    ),
    SolveOption(
        name="with-conda",
        field="with_conda",
        section=OptionSection.CHOICE,
        kind=OptionKind.FLAG,
        key="with-conda",
        wording=Wording.OPTION,
        help="Take Python, torch and what is linked to it from conda channels, the rest from PyPI.",
    ),
    SolveOption(
        name="from",
        parameter="origins",
        field="origins",
        section=OptionSection.CHOICE,
        repeatable=True,
        metavar="conda:SPEC|pypi:NAME",
        key="from",
        wording=Wording.OPTION,
        help=(
            "With --with-conda: put this conda package into the environment (`conda:ffmpeg>=6`), or take this"
            " one from PyPI alone (`pypi:scipy`)."
        ),
    ),
    SolveOption(
        name="channel",
        parameter="channels",
        field="channels",
        section=OptionSection.INDEX,
        repeatable=True,
        metavar="NAME",
        key="channels",
        wording=Wording.RANKED,
        help="With --with-conda: a conda channel, the first one first; default conda-forge.",
    ),
    SolveOption(
        name="no-known-cve",
        field="no_known_cve",
        section=OptionSection.CHOICE,
        metavar="SEVERITY",
        key="no-known-cve",
        wording=Wording.OPTION,
        help="Choose no version with a known vulnerability as bad as this: `low`, `moderate`, `high`, "
        "`critical`. An unrated one counts.",
    ),
    SolveOption(
        name="allow-missing",
        field="allow_missing",
        section=OptionSection.CHOICE,
        repeatable=True,
        metavar="NAME",
        key="allow-missing",
        wording=Wording.OPTION,
        help="Accept that nothing provides this module, which the project imports.",
    ),
    SolveOption(
        name="without",
        field="without",
        section=OptionSection.CHOICE,
        repeatable=True,
        metavar="NAME",
        key="without",
        wording=Wording.OPTION,
        help="Of the project, leave out this module or package: only a tool or a demo needs it.",
    ),
    SolveOption(
        name="provider",
        parameter="providers",
        field="providers",
        section=OptionSection.CHOICE,
        repeatable=True,
        metavar="NAME",
        key="providers",
        wording=Wording.OPTION,
        help="Accept wheels that this provider built of other projects, such as `torch-packages-builder`.",
    ),
    SolveOption(
        name="prefer",
        field="prefer",
        section=OptionSection.CHOICE,
        repeatable=True,
        metavar="TERM",
        key="prefer",
        wording=Wording.RANKED,
        help="Put this objective first; repeat it for the next ones.",
    ),
    SolveOption(
        name="verdicts",
        field="verdicts",
        section=OptionSection.CHOICE,
        kind=OptionKind.PATH,
        repeatable=True,
        metavar="DIR",
        key="verdicts",
        help="Prefer what the verdicts of these locks prove.",
    ),
    SolveOption(
        name="allowed-signers",
        field="allowed_signers",
        section=OptionSection.CHOICE,
        kind=OptionKind.PATH,
        repeatable=True,
        metavar="FILE",
        why_no_key="`allowed-signers` in [trust]",
        help="Verdicts signed by the keys in this file count, besides your own.",
    ),
    SolveOption(
        name="matrices",
        field="matrices",
        section=OptionSection.CHOICE,
        kind=OptionKind.PATH,
        metavar="DIR",
        why_no_key="`--matrices` of `mmlock locks` says it for all locks",
        help="Use these facts instead of those that came with mmlock.",
    ),
)


_OUTPUT = (
    SolveOption(
        name="out",
        field="out",
        section=OptionSection.OUTPUT,
        kind=OptionKind.PATH,
        metavar="DIR",
        why_no_key="`folder`/STACK/TARGET",
        help="Write the result here: the lock folder; default `lock`.",
    ),
    SolveOption(
        name="dry-run",
        field="dry_run",
        section=OptionSection.OUTPUT,
        kind=OptionKind.FLAG,
        why_no_key="`mmlock locks --check` says it for all locks",
        help="Write nothing.",
    ),
    SolveOption(
        name="lock-format",
        parameter="lock_formats",
        field="lock_formats",
        section=OptionSection.OUTPUT,
        repeatable=True,
        metavar="NAME",
        key="formats",
        help=f"The files to write: {', '.join(LOCK_FORMATS)}; default all.",
    ),
)

OPTIONS: tuple[SolveOption, ...] = (*INPUT, *TARGET, *_CHOICE, *INDEX, *_OUTPUT)


def of_section(*sections: OptionSection) -> Iterator[SolveOption]:
    """The options of the command line under these headings, in the order of the table."""
    return (option for option in OPTIONS if option.command_line and option.section in sections)


def wordings() -> Iterator[SolveOption]:
    """The options that appear in the words of a request."""
    return (option for option in OPTIONS if option.wording is not Wording.NONE)
