"""What the matrix says of one package or one release of it: `mmlock matrix show`."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.errors import UsageError
from mmlock.core.names import PackageName, normalize
from mmlock.core.report import Page
from mmlock.core.versions import version as parse
from mmlock.facts.matrix.known_versions import known_versions
from mmlock.facts.matrix.load import Matrix
from mmlock.report import facts as show_facts
from mmlock.report.facts import Chapter, Fact

__all__ = ["PackageView", "as_page", "known_packages", "package_page", "package_view", "render"]

_WIDTH = 110
_NEAREST = 6


class PackageView(Struct, frozen=True, kw_only=True):
    """Everything known of a package, or of one release when `version` is set."""

    package: PackageName
    version: str | None
    modules: tuple[str, ...]
    """Import names it provides."""
    rivals: tuple[PackageName, ...]
    """Distributions that write the same files and must not be installed beside it."""
    chapters: tuple[Chapter, ...]


def package_page(matrix: Matrix, text: str) -> Page:
    """The answer to `mmlock matrix show TEXT`. Raises UsageError when nothing is known of it."""
    return as_page(package_view(matrix, text))


def package_view(matrix: Matrix, text: str) -> PackageView:
    """The facts about `PACKAGE` or `PACKAGE==VERSION`. Raises UsageError."""
    package, wanted = _parse(text)
    if package not in known_packages(matrix):
        raise _unknown_package(matrix, package)
    if wanted is not None:
        wanted = _release(matrix, package, wanted)
    rows = [row for row in matrix.modules if package in row.packages]
    rivals = {other for row in rows for other in row.packages if other != package}
    chapters = (chapter(matrix, package, wanted) for chapter in show_facts.CHAPTERS)
    return PackageView(
        package=package,
        version=wanted,
        modules=tuple(row.module for row in rows),
        rivals=tuple(sorted(rivals)),
        chapters=tuple(chapter for chapter in chapters if chapter.facts),
    )


def known_packages(matrix: Matrix) -> frozenset[PackageName]:
    """Packages some fact is about; ordinary packages are not in the matrix."""
    return frozenset(
        {
            PackageName("torch"),
            *matrix.release_packages,
            *matrix.binary_packages,
            *(package for package in matrix.file_packages if package != show_facts.OPENMMLAB_INDEX),
            *matrix.requires_packages,
            *matrix.advisory_packages,
            *(row.package for row in matrix.recipes),
            *(package for row in matrix.modules if row.core for package in row.packages),
        }
    )


def _parse(text: str) -> tuple[PackageName, str | None]:
    hint = "write it as `PACKAGE` or `PACKAGE==VERSION`, for example `mmlock matrix show mmdet==3.3.0`"
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        why = str(error).splitlines()[0]
        raise UsageError(f"`{text}` is not a package", causes=[why], hints=[hint]) from error
    pins = list(requirement.specifier)
    if requirement.extras or requirement.marker or requirement.url or len(pins) > 1:
        raise UsageError(f"`{text}` is more than a package and a version", hints=[hint])
    if pins and (pins[0].operator != "==" or pins[0].version.endswith(".*")):
        raise UsageError(f"`{text}` does not name one version", hints=[hint])
    return normalize(requirement.name), pins[0].version if pins else None


def _unknown_package(matrix: Matrix, package: PackageName) -> UsageError:
    modules = {normalize(row.module): row for row in matrix.modules}
    if row := modules.get(package):
        names = ", ".join(f"`{name}`" for name in row.packages)
        return UsageError(f"`{row.module}` is a module, not a package", hints=[f"provided by {names}"])
    near = difflib.get_close_matches(package, sorted(known_packages(matrix)), n=_NEAREST)
    hints = [f"did you mean {', '.join(f'`{name}`' for name in near)}?"] if near else []
    return UsageError(
        f"nothing is known of `{package}`",
        causes=["packages without compiled code are resolved from the package index when a lock is made"],
        hints=hints,
    )


def _release(matrix: Matrix, package: PackageName, wanted: str) -> str:
    """The version as the facts spell it. Raises UsageError when there is none."""
    known = known_versions(matrix, package)
    for text in known:
        if parse(text) == parse(wanted):
            return text
    if not known and matrix.advisories(package):
        return wanted  # an ordinary package, of whose releases nothing is known but what advisories say
    near = sorted(known, key=lambda text: (abs(_distance(text, wanted)), text))[:_NEAREST]
    newest = sorted(near, key=parse, reverse=True)
    hints = [f"known versions near it: {', '.join(newest)}"] if newest else []
    raise UsageError(f"nothing is known of `{package} {wanted}`", hints=hints)


def _distance(text: str, wanted: str) -> float:
    """How far two versions are apart, coarsely: for suggestions only."""

    def number(value: str) -> float:
        release = (*parse(value).release, 0, 0, 0)[:3]
        return release[0] * 1e6 + release[1] * 1e3 + release[2]

    return number(text) - number(wanted)


# ---------------------------------------------------------------- as text, as data


def as_page(view: PackageView) -> Page:
    """Both forms of a view."""
    return Page(text=render(view), data=_data(view))


def render(view: PackageView) -> str:
    """The view as lines, with sources as numbered notes at the end."""
    head = f"{view.package} {view.version}" if view.version else str(view.package)
    if view.modules:
        head += f" provides {_quoted(view.modules)}"
    lines = [head]
    if view.rivals:
        lines += _wrapped(f"do not install with {_quoted(view.rivals)}: they write the same files", "")
    notes: dict[str, int] = {}
    for chapter in view.chapters:
        lines += ["", chapter.title]
        for fact in chapter.facts:
            marks = "".join(f"[{notes.setdefault(text, len(notes) + 1)}]" for text in fact.source)
            lines += _wrapped(f"{fact.text}  ({fact.confidence} {marks})", "  ")
    if notes:
        lines += ["", "Sources"]
        for text, number in notes.items():
            lines += _wrapped(f"[{number}] {text}", "  ")
    return "\n".join(lines)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _data(view: PackageView) -> Mapping[str, Any]:
    return {
        "package": view.package,
        "version": view.version,
        "modules": list(view.modules),
        "rivals": list(view.rivals),
        "chapters": [
            {"name": chapter.name, "title": chapter.title, "facts": [_fact(fact) for fact in chapter.facts]}
            for chapter in view.chapters
        ],
    }


def _fact(fact: Fact) -> Mapping[str, Any]:
    return {
        "text": fact.text,
        "source": list(fact.source),
        "confidence": str(fact.confidence),
        "rows": list(fact.rows),
    }
