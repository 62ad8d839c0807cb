"""Facts on OpenMMLab's wheel index and its releases on PyPI -> rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from facts_words import Facts, clean_source, pythons_of
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.names import Confidence, Platform, Sha256, normalize
from mmlock.core.versions import version
from mmlock.facts.matrix.model import Assert, File, IndexRow, Release

__all__ = ["ARCHIVE", "disagreements", "index_rows", "observed", "releases", "skipped_note"]

ARCHIVE = {
    "archive": "the release's sdist on PyPI, else its wheel, read without running anything (2026-11-20): "
    "metadata, mminstall.txt, assert statements and imports of the entry modules"
}

_PLATFORMS = {
    "linux": (Platform.LINUX_X86_64,),
    "win": (Platform.WINDOWS_X86_64,),
    "mac": (Platform.MACOS_ARM64, Platform.MACOS_X86_64),
}

_INVERSE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def index_rows(facts: Facts) -> Iterator[IndexRow]:
    """Directories of the index. A capture, a used URL or a lock proves a row; else the docs say so.

    macOS wheels are tagged universal2 but come from an x86_64 machine, so that arm64 is inferred.
    """
    for row in facts["rows"]:
        proved = any(not key.startswith("docs") for key in row["sources"])
        for platform in _PLATFORMS[row["platform"]]:
            confidence = Confidence.CAPTURED if proved else Confidence.DOCUMENTED
            if platform is Platform.MACOS_ARM64:
                confidence = Confidence.INFERRED
            yield IndexRow(
                directory=row["index_dir"],
                package=normalize(row["dist"]),
                platform=platform,
                versions=tuple(sorted(row["versions"], key=version)),
                pythons_seen=pythons_of(row["python_seen"]),
                pythons_inferred=pythons_of(row["python_inferred"]),
                source=tuple(row["sources"]),
                confidence=confidence,
            )


def is_requirement(text: str) -> bool:
    """Whether pip would take the line."""
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def mim_lines(release: Facts) -> list[str]:
    """What `mim install` adds: the extra `mim`, else mminstall.txt."""
    return list(release["extra_mim"] or release["mminstall_txt"])


def skipped_note(package: Facts) -> str | None:
    """Names the `mim` lines that were left out because they are no requirements."""
    skipped = [
        f"{release}: {line}"
        for release, row in package["versions"].items()
        for line in mim_lines(row)
        if not is_requirement(line)
    ]
    return "mim lines that are no requirements, left out: " + " | ".join(skipped) if skipped else None


def asserted(check: Facts) -> Assert:
    """What must hold. `if CONDITION: raise` refuses when its condition holds, so it is turned round."""
    operator = _INVERSE[check["op"]] if check.get("refusal_if") else check["op"]
    return Assert(module=check["lib"], op=operator, version=check["version"])


def releases(package: Facts) -> Iterator[Release]:
    """All releases of one package."""
    for name, row in package["versions"].items():
        missing = row.get("missing_own_modules") or {}
        yield Release(
            version=name,
            upload=row["upload"],
            requires_python=row["requires_python"],
            requires=tuple(row["requires_dist"]),
            mim=tuple(line for line in mim_lines(row) if is_requirement(line)),
            asserts=tuple(dict.fromkeys(asserted(check) for check in row["runtime_asserts"])),
            undeclared=union(row["undeclared_imports"].values()),
            missing=union(missing.values()),
            probes={name: int(count) for name, count in row["probes"].items()},
            yanked=bool(row.get("yanked")),
            has_wheel=any(file["filename"].endswith(".whl") for file in row["files"]),
            source=("archive",),
            confidence=Confidence.MEASURED,
        )


def union(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """All names once, sorted."""
    return tuple(sorted({name for group in groups for name in group}))


def observed(facts: Facts) -> tuple[list[File], dict[str, str]]:
    """Wheels of OpenMMLab's index whose hash a public lock file recorded, and those sources."""
    rows: list[File] = []
    sources: dict[str, str] = {}
    for entry in facts["urls"]:
        if not entry.get("sha256"):
            continue
        name = urlsplit(entry["url"]).path.rpartition("/")[2]
        text = "sha256 recorded by " + clean_source(entry["seen_in"][0])
        key = next((known for known, said in sources.items() if said == text), f"lock-{len(sources) + 1}")
        sources[key] = text
        rows.append(
            File(
                name=name,
                url=entry["url"],
                sha256=Sha256(entry["sha256"]),
                size=None,
                requires_python=None,
                yanked=False,
                source=(key,),
                confidence=Confidence.CAPTURED,
            )
        )
    return rows, sources


def disagreements(package: Facts, files: Sequence[File]) -> Iterator[str]:
    """Files of a package whose hash or size the scan and the index tell differently."""
    served = {file.name: file for file in files}
    for row in package["versions"].values():
        for scanned in row["files"]:
            file = served.get(scanned["filename"])
            if file is None:
                yield f"{scanned['filename']}: not on the index"
            elif (file.sha256, file.size) != (scanned["sha256"], scanned["size"]):
                yield f"{scanned['filename']}: sha256 or size differ"
