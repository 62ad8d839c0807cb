"""Rows of the table of solve options: where packages come from."""

from __future__ import annotations

from mmlock.core.solve_option import OptionKind, OptionSection, SolveOption, Wording

__all__ = ["INDEX"]


INDEX = (
    SolveOption(
        name="index-url",
        field="index.index_url",
        section=OptionSection.INDEX,
        metavar="URL",
        key="index-url",
        help="The main package index, instead of PyPI.",
    ),
    SolveOption(
        name="extra-index-url",
        field="index.extra_index_urls",
        section=OptionSection.INDEX,
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
        section=OptionSection.INDEX,
        kind=OptionKind.INDEX,
        repeatable=True,
        metavar="NAME=URL",
        key="index",
        help="An index for the packages of its --index-package options only.",
    ),
    SolveOption(
        name="index-package",
        parameter="index_packages",
        field="index.named",
        section=OptionSection.INDEX,
        kind=OptionKind.PIN,
        repeatable=True,
        metavar="NAME=PKG",
        why_no_key="`packages` of an [[index]]",
        help="Take this package from the --index of that name and from nowhere else.",
    ),
    SolveOption(
        name="no-index",
        field="index.no_index",
        section=OptionSection.INDEX,
        kind=OptionKind.FLAG,
        key="no-index",
        help="Use no package index, only --find-links.",
    ),
    SolveOption(
        name="find-links",
        field="index.find_links",
        section=OptionSection.INDEX,
        kind=OptionKind.PLACE,
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
        section=OptionSection.INDEX,
        kind=OptionKind.PLACE,
        repeatable=True,
        metavar="PLACE",
        key="wheel-indexes",
        help="An index of compiled wheels, as `mmlock farm publish` writes it: a wheel there goes before a "
        "build.",
    ),
    SolveOption(
        name="offline",
        field="offline",
        section=OptionSection.INDEX,
        kind=OptionKind.FLAG,
        why_no_key="`mmlock locks --offline` says it for all locks",
        help="Use only what was downloaded before.",
    ),
    SolveOption(
        name="exclude-newer",
        field="exclude_newer",
        section=OptionSection.INDEX,
        metavar="DATE",
        key="exclude-newer",
        wording=Wording.OPTION,
        help="Ignore files uploaded after this date.",
    ),
)
