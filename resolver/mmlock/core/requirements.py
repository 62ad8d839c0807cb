"""Requirement strings and requirements files as values. Text in, values out: files are read elsewhere.

The format of a requirements file is pip's. What cannot be honoured is a fault that names file and
line; nothing is skipped in silence except options that change nothing here.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace
from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.artifact import IndexSettings
from mmlock.core.faults import Fault
from mmlock.core.names import PackageName, normalize

_VCS = ("git+", "hg+", "svn+", "bzr+")
_ARCHIVE_SCHEMES = ("http://", "https://", "file://")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_LONGEST = 20_000
"""Characters of an option line: it is split as a shell does, which takes quadratic time for a long word."""
_LINE_OPTION = re.compile(r"\s--?[a-z]")
_MONSTER = re.compile(r"(?<![0-9A-Za-z])[0-9]{100}")
"""A number of a hundred digits: not a hash, and Python refuses to read one of thousands."""
_HASH = re.compile(r"(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")


class Asked(Struct, frozen=True, kw_only=True):
    """One requirement that someone asked for, and where it is."""

    name: PackageName
    extras: tuple[str, ...] = ()
    """Normal form, sorted."""
    specifier: str = ""
    """PEP 440, clauses sorted; empty: any version."""
    marker: str | None = None
    url: str | None = None
    """Of one archive; never a repository."""
    hashes: tuple[str, ...] = ()
    """`sha256:HEX` of the files that are acceptable, sorted; empty: any."""
    origin: str = "the request"
    """`the command line`, `requirements.txt:3`."""

    @property
    def text(self) -> str:
        """The requirement in PEP 508 normal form, without hashes."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        bound = f" @ {self.url}" if self.url else self.specifier
        marker = f"{' ' if self.url else ''}; {self.marker}" if self.marker else ""
        return f"{self.name}{extras}{bound}{marker}"

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Whether its marker holds in a complete PEP 508 environment (the target's)."""
        return self.marker is None or Marker(self.marker).evaluate(dict(environment))


class Gathered(Struct, frozen=True, kw_only=True):
    """Everything that some inputs ask for together."""

    requirements: tuple[Asked, ...] = ()
    constraints: tuple[Asked, ...] = ()
    index: IndexSettings = IndexSettings()
    prerelease: bool = False
    requires_python: str | None = None
    """Of a project; None: not said."""

    def __add__(self, other: Gathered) -> Gathered:
        bounds = [part.requires_python for part in (self, other) if part.requires_python]
        return Gathered(
            requirements=unique((*self.requirements, *other.requirements)),
            constraints=unique((*self.constraints, *other.constraints)),
            index=merge_index(self.index, other.index),
            prerelease=self.prerelease or other.prerelease,
            requires_python=",".join(dict.fromkeys(bounds)) or None,
        )


class Include(NamedTuple):
    """A file that another one names with `-r` or `-c`."""

    path: str
    constraint: bool
    where: str


class Parsed(Struct, frozen=True, kw_only=True):
    """What one requirements file says, its includes not yet followed."""

    gathered: Gathered
    includes: tuple[Include, ...]
    faults: tuple[Fault, ...]


def unique(asked: Iterable[Asked]) -> tuple[Asked, ...]:
    """The same requirements in the same order, each once; the first origin stays."""
    kept: dict[tuple[str, tuple[str, ...]], Asked] = {}
    for one in asked:
        kept.setdefault((one.text, one.hashes), one)
    return tuple(kept.values())


def merge_index(first: IndexSettings, later: IndexSettings) -> IndexSettings:
    """Both settings together; where only one value can hold, the later one does."""
    return IndexSettings(
        index_url=later.index_url or first.index_url,
        extra_index_urls=tuple(dict.fromkeys((*first.extra_index_urls, *later.extra_index_urls))),
        find_links=tuple(dict.fromkeys((*first.find_links, *later.find_links))),
        no_index=first.no_index or later.no_index,
        named=tuple({one.name: one for one in (*first.named, *later.named)}.values()),
    )


# ---------------------------------------------------------------- one requirement


def parse_requirement(text: str, origin: str, *, constraint: bool = False) -> Asked | Fault:
    """Read one PEP 508 requirement, or say what is wrong with it."""
    if _MONSTER.search(text):
        shown = f"{text[:40]}..."
        return Fault(where=origin, text=f"cannot read `{shown}`: a number in it is too long")
    try:
        parsed = Requirement(text)
    except InvalidRequirement as error:
        return _unreadable(text, origin, str(error))
    if parsed.url is not None and (fault := _url_fault(text, parsed.url, origin)):
        return fault
    if constraint and parsed.extras:
        return Fault(
            where=origin,
            text=f"`{text}`: a constraint cannot ask for extras",
            hint="put the extras into a requirement, the bound into the constraint",
        )
    return Asked(
        name=normalize(parsed.name),
        extras=tuple(sorted(normalize(extra) for extra in parsed.extras)),
        specifier=",".join(sorted(str(clause) for clause in parsed.specifier)),
        marker=str(parsed.marker) if parsed.marker else None,
        url=parsed.url,
        origin=origin,
    )


def _unreadable(text: str, origin: str, message: str) -> Fault:
    why = message.splitlines()[0]
    hint = "write it as PEP 508 says, for example `mmdet>=3.0,<3.4` or `mmdet[tracking]==3.3.0`"
    if re.fullmatch(r"[\w.-]+(?:\[[^\]]*\])?\s*=\s*[\w.*+!]+", text):
        hint = f"write `{text.replace('=', '==')}`"
    elif text.startswith((*_VCS, *_ARCHIVE_SCHEMES)) or text.endswith((".whl", ".tar.gz", ".zip")):
        hint = "give the archive a name: `NAME @ https://...` or `NAME @ file:///...`"
    elif text.startswith((".", "/", "~")):
        hint = "a folder cannot be locked by hash: give its `pyproject.toml` with --project"
    return Fault(where=origin, text=f"cannot read `{text}`: {why[:1].lower()}{why[1:]}", hint=hint)


def _url_fault(text: str, url: str, origin: str) -> Fault | None:
    if url.startswith(_VCS):
        return Fault(
            where=origin,
            text=f"`{text}`: a repository cannot be locked by hash",
            hint="name a release, or an archive with `NAME @ https://...`",
        )
    if not url.startswith(_ARCHIVE_SCHEMES):
        return Fault(
            where=origin,
            text=f"`{text}`: `{url}` is not the URL of an archive",
            hint="use https://, http:// or file:///",
        )
    return None


# ---------------------------------------------------------------- one requirements file


def parse_file(text: str, name: str, *, constraint: bool = False) -> Parsed:
    """Read a requirements file (or a constraints file); `name` is what messages call it."""
    reader = _FileReader(name=name, constraint=constraint)
    for number, line in _logical_lines(text):
        reader.take(line, f"{name}:{number}")
    return reader.result()


def _logical_lines(text: str) -> Iterable[tuple[int, str]]:
    """Lines with continuations joined and comments cut, each with the number it starts on."""
    start, held = 0, ""
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        start = start or number
        bare = _COMMENT.sub("", raw)
        if bare == raw and raw.endswith("\\"):
            held += raw[:-1]
            continue
        if joined := (held + bare).strip():
            yield start, joined
        start, held = 0, ""
    if held.strip():
        yield start, held.strip()


class _FileReader:
    """Collects what the lines of one file say."""

    def __init__(self, *, name: str, constraint: bool) -> None:
        self.name = name
        self.constraint = constraint
        self.asked: list[Asked] = []
        self.includes: list[Include] = []
        self.faults: list[Fault] = []
        self.index = IndexSettings()
        self.prerelease = False

    def result(self) -> Parsed:
        asked = unique(self.asked)
        gathered = Gathered(
            requirements=() if self.constraint else asked,
            constraints=asked if self.constraint else (),
            index=self.index,
            prerelease=self.prerelease,
        )
        return Parsed(gathered=gathered, includes=tuple(self.includes), faults=tuple(self.faults))

    def take(self, line: str, where: str) -> None:
        if variable := _VARIABLE.search(line):
            hint = "set the index with UV_INDEX_URL, PIP_INDEX_URL or --index-url instead"
            self.fault(where, f"`{variable[0]}` is not expanded", hint)
        elif line.startswith("-"):
            self._options(line, where)
        else:
            self._requirement(line, where)

    def fault(self, where: str, text: str, hint: str | None = None) -> None:
        self.faults.append(Fault(where=where, text=text, hint=hint))

    def _requirement(self, line: str, where: str) -> None:
        cut = _LINE_OPTION.search(line)
        text, rest = (line[: cut.start()], line[cut.start() :].split()) if cut else (line, [])
        hashes: list[str] = []
        words = iter(rest)
        for word in words:
            option, equals, value = word.partition("=")
            if option != "--hash":
                self.fault(where, f"`{option}` on a requirement is not understood", _ONLY_HASH)
                break  # the requirement itself is understood: who reads on with faults must not lose it
            value = value if equals else next(words, "")
            if not _HASH.fullmatch(value.lower()):
                self.fault(where, f"`{value}` is not a sha256, sha384 or sha512 hash")
                continue
            hashes.append(value.lower())
        found = parse_requirement(text.strip(), where, constraint=self.constraint)
        if isinstance(found, Fault):
            self.faults.append(found)
        else:
            self.asked.append(replace(found, hashes=tuple(sorted(set(hashes)))))

    def _options(self, line: str, where: str) -> None:
        if len(line) > _LONGEST:
            self.fault(where, f"cannot read an option of more than {_LONGEST} characters")
            return
        try:
            words = shlex.split(line)
        except ValueError:
            self.fault(where, f"cannot read `{line}`: a quote is not closed")
            return
        while words:
            option, value = _split_option(words.pop(0))
            kind = _OPTIONS.get(option)
            if kind is None:
                hint = _REFUSED.get(option, "remove the line; the rest of the file is supported")
                self.fault(where, f"`{option}` is not supported", hint)
                return
            if kind.takes_value and value is None:
                value = words.pop(0) if words else None
            if kind.takes_value and not value:
                self.fault(where, f"`{option}` needs a value")
                return
            self._apply(kind.effect, value or "", where)

    def _apply(self, effect: str, value: str, where: str) -> None:
        match effect:
            case "requirement" | "constraint":
                constraint = self.constraint or effect == "constraint"
                self.includes.append(Include(path=self._beside(value), constraint=constraint, where=where))
            case "index":
                self.index = merge_index(self.index, IndexSettings(index_url=value))
            case "extra-index":
                self.index = merge_index(self.index, IndexSettings(extra_index_urls=(value,)))
            case "find-links":
                self.index = merge_index(self.index, IndexSettings(find_links=(self._beside(value),)))
            case "no-index":
                self.index = replace(self.index, no_index=True)
            case "pre":
                self.prerelease = True

    def _beside(self, path: str) -> str:
        """A path as this file means it: relative to its own folder."""
        if "://" in path:
            return path
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.name.replace("\\", "/")), path))


class _Option(NamedTuple):
    """An option line that is understood; an empty effect changes nothing here."""

    effect: str
    takes_value: bool


_OPTIONS: Mapping[str, _Option] = {
    "-r": _Option("requirement", takes_value=True),
    "--requirement": _Option("requirement", takes_value=True),
    "-c": _Option("constraint", takes_value=True),
    "--constraint": _Option("constraint", takes_value=True),
    "-i": _Option("index", takes_value=True),
    "--index-url": _Option("index", takes_value=True),
    "--pypi-url": _Option("index", takes_value=True),
    "--extra-index-url": _Option("extra-index", takes_value=True),
    "-f": _Option("find-links", takes_value=True),
    "--find-links": _Option("find-links", takes_value=True),
    "--no-index": _Option("no-index", takes_value=False),
    "--pre": _Option("pre", takes_value=False),
    # A lock has hashes and takes wheels anyway.
    "--require-hashes": _Option("", takes_value=False),
    "--prefer-binary": _Option("", takes_value=False),
    "--use-feature": _Option("", takes_value=True),
}

_EDITABLE = "a folder cannot be locked by hash: give its `pyproject.toml` with --project"
_ONLY_HASH = "only `--hash` may follow a requirement"
_REFUSED: Mapping[str, str] = {
    "-e": _EDITABLE,
    "--editable": _EDITABLE,
    "--no-binary": "ordinary packages come as wheels; allow one source archive with --allow-sdist NAME",
    "--only-binary": "remove the line: only wheels are used unless you pass --allow-sdist NAME",
    "--trusted-host": "set SSL_CERT_FILE to the certificate of that host",
}


def _split_option(word: str) -> tuple[str, str | None]:
    """`--index-url=U` -> (`--index-url`, `U`), `-rbase.txt` -> (`-r`, `base.txt`)."""
    if word.startswith("--"):
        option, equals, value = word.partition("=")
        return option, value if equals else None
    return word[:2], word[2:].removeprefix("=") or None
