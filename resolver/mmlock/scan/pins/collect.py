"""All pins of a tree: each file by its name, requirement files by what leads to them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from posixpath import basename, dirname, normpath

from mmlock.core.artifact import IndexSettings
from mmlock.core.requirements import Include, parse_file
from mmlock.scan.left_out import LeftOut, LeftOutReason, UnreadSourceError
from mmlock.scan.model import SourceLine
from mmlock.scan.pins import conda_files, declared, documents
from mmlock.scan.pins.commands import Said, first_words
from mmlock.scan.pins.model import Binding, PinKind, ProjectPin
from mmlock.scan.pins.repositories import repository_name, without_repositories
from mmlock.scan.tree import NO_LINKS, Links, leads_out

__all__ = ["collect"]

_REQUIREMENTS = re.compile(r"(?:requirements?|constraints?)[\w.-]*\.(?:txt|in)$", re.IGNORECASE)
_DOCUMENT = re.compile(
    r"(?:readme|install|get(?:ting)?_?started|quick_?start|setup|environment|prepare|faq)"
    r"[\w.-]*\.(?:md|rst|txt)$",
    re.IGNORECASE,
)
_DOCKERFILE = re.compile(r"(?:dockerfile(?:[.-][\w.-]+)?|[\w.-]+\.dockerfile)$", re.IGNORECASE)
_CONDA = re.compile(r"\A(?:environment|conda|env)[\w.-]*\.ya?ml$", re.IGNORECASE)
_TAKEN = frozenset({"requirements.txt", "requirement.txt", "requirements/mminstall.txt"})
"""What is installed for a project unasked: by habit, mim by its own rule."""
_COMMAND_END = re.compile(r"[\n`|;&]")
_INSTALL = re.compile(r"\binstall\s")
_OF_FILE = re.compile(r"\s(?:-r|--requirement)[ =]?\s*([\w./-]{1,200}\.(?:txt|in))")
_CONDA_LOCKS = frozenset({"conda-lock.yml", "pixi.lock"})
_LOCKS = frozenset({"poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Pipfile.lock"})


def _installed_files(text: str) -> Iterator[str]:
    """The requirements files that commands in a text install."""
    for command in _COMMAND_END.split(text):
        if install := _INSTALL.search(command):
            yield from (found[1] for found in _OF_FILE.finditer(command, install.end() - 1))


Read = Callable[[str], str]
"""The text of a file of the project. Raises UnreadSourceError."""


def collect(
    files: Iterable[str], read: Read, links: Links = NO_LINKS
) -> tuple[list[ProjectPin], list[LeftOut]]:
    """Every pin, and what could not be read. Only these files are read, whatever their text names."""
    collector = _Collector(tuple(files), read, links)
    for file in collector.files:
        collector.file(file)
    collector.requirement_files()
    return collector.pins, collector.left_out


class _Collector:
    def __init__(self, files: tuple[str, ...], read: Read, links: Links) -> None:
        self.files = files
        self.known = frozenset(files)
        self.read = read
        self.links = links
        self.pins: list[ProjectPin] = []
        self.left_out: list[LeftOut] = []
        self.declared: list[tuple[str, bool]] = []
        """Requirement files that the project itself takes in, and whether as constraints."""

    def file(self, file: str) -> None:
        """Read one file by what its name says."""
        name = basename(file)
        try:
            if name == "setup.py":
                self._setup(file)
            elif file in _TAKEN:
                self.declared.append((file, False))
            else:
                self.pins += list(self._pins(file, name))
                self._channels(file, name)
        except UnreadSourceError as why:
            self.left_out.append(why.at(file))

    def _pins(self, file: str, name: str) -> Iterator[ProjectPin]:
        own = Binding.DECLARED if not dirname(file) else Binding.OPTIONAL
        for names, kind, reader in _DECLARED:
            if (name in names) if isinstance(names, frozenset) else names.match(name):
                binding = Binding.LOCKED if kind is PinKind.LOCK else own
                for line, said, extra in reader(self.read(file)):
                    conda = extra and kind is PinKind.CONDA
                    to = binding if conda or not extra else Binding.OPTIONAL
                    yield self._pin(said, file, line, kind, to, constraint=conda)
                if name == "pyproject.toml":
                    for line, said, extra in conda_files.pixi_in_pyproject(self.read(file)):
                        place = PinKind.CONDA if extra else kind
                        yield self._pin(said, file, line, place, own, constraint=extra)
                return
        if _DOCKERFILE.match(name):
            yield from self._said(documents.dockerfile, file, PinKind.DOCKERFILE, Binding.COMMAND)
        elif name.endswith((".sh", ".bash")):
            yield from self._said(documents.script, file, PinKind.SCRIPT, Binding.COMMAND)
        elif _DOCUMENT.match(name):
            yield from self._said(documents.markdown, file, PinKind.DOCUMENT, Binding.ADVICE)
        elif name.endswith(".ipynb"):
            yield from self._said(documents.notebook, file, PinKind.NOTEBOOK, Binding.ADVICE)

    def _channels(self, file: str, name: str) -> None:
        """Channels are not taken from a project, as indexes are not: the user names them."""
        if name == "pixi.toml":
            named = tuple(conda_files.channels_of_pixi(self.read(file)))
        elif _CONDA.match(name):
            named = tuple(conda_files.channels_of_environment(self.read(file)))
        else:
            return
        if named:
            self._leave(file, None, LeftOutReason.CHANNELS, ", ".join(dict.fromkeys(named)))

    def _said(
        self, reader: Callable[[str], Iterator[tuple[int, Said]]], file: str, kind: PinKind, binding: Binding
    ) -> Iterator[ProjectPin]:
        text = self.read(file)
        if kind in {PinKind.DOCUMENT, PinKind.DOCKERFILE}:
            self.declared += [(named, False) for named in self._guided(file, text)]
        if kind is PinKind.DOCKERFILE or first_words([text]):
            for line, said in reader(text):
                yield self._pin(said, file, line, kind, binding)

    def _guided(self, file: str, text: str) -> Iterator[str]:
        """Requirement files that a guide of the whole project installs: from its top, or from beside it."""
        if dirname(file) not in {"", "docs", "docker", "docs/en", "docs/source"}:
            return
        for named in _installed_files(text):
            for path in (normpath(named), normpath(f"{dirname(file)}/{named}")):
                # A file of its own folder is for the text itself: `docs/requirements.txt`.
                if path in self.known and not path.startswith(("docs/", "tests/")):
                    yield path

    def _setup(self, file: str) -> None:
        requirements, files = declared.setup_py(self.read(file))
        own = Binding.DECLARED if not dirname(file) else Binding.OPTIONAL
        for line, said, extra in requirements:
            binding = Binding.OPTIONAL if extra else own
            self.pins.append(self._pin(said, file, line, PinKind.SETUP, binding))
        if not dirname(file):
            for name in files:
                if leads_out(normpath(name)):
                    self._leave(file, None, LeftOutReason.OUTSIDE, name)
                else:
                    self.declared.append((normpath(name), False))

    def requirement_files(self) -> None:
        """Those the project takes in first, with what they include; then the others, as optional."""
        done: set[str] = set()
        self._follow(self.declared, Binding.DECLARED, done)
        others = [(file, "constraint" in file) for file in self.files if self._is_requirements(file)]
        self._follow(others, Binding.OPTIONAL, done)

    def _follow(self, waiting: list[tuple[str, bool]], binding: Binding, done: set[str]) -> None:
        queue = deque(waiting)
        while queue:
            named, constraint = queue.popleft()
            file = self.links.resolve(named)
            if file in done or file not in self.known:
                continue
            done.add(file)
            try:
                queue += self._requirements(file, binding, constraint=constraint)
            except UnreadSourceError as why:
                self.left_out.append(why.at(file))

    def _is_requirements(self, file: str) -> bool:
        inside = basename(dirname(file)) == "requirements" and file.endswith((".txt", ".in"))
        return inside or bool(_REQUIREMENTS.match(basename(file)))

    def _requirements(self, file: str, binding: Binding, *, constraint: bool) -> list[tuple[str, bool]]:
        text, repositories = without_repositories(self.read(file))
        for line, words in repositories:
            if (name := repository_name(words)) is not None:
                self.pins.append(self._pin(Said(name, "", words), file, line, PinKind.REQUIREMENTS, binding))
        parsed = parse_file(text, file, constraint=constraint)
        for asked in (*parsed.gathered.requirements, *parsed.gathered.constraints):
            line = int(asked.origin.rpartition(":")[2])
            said = Said(asked.name, asked.specifier, asked.text, asked.marker)
            pin = self._pin(said, file, line, PinKind.REQUIREMENTS, binding, constraint=constraint)
            self.pins += [pin] if asked.url is None else []
        for fault in parsed.faults:
            self._leave(*_place(fault.where), LeftOutReason.REQUIREMENT, fault.text)
        if parsed.gathered.index != IndexSettings():
            self._leave(file, None, LeftOutReason.INDEX)
        return [(path, one.constraint) for one in parsed.includes if (path := self._included(one))]

    def _included(self, include: Include) -> str | None:
        """The file of the project that an include means; any other is left out, whatever it is."""
        path = normpath(include.path)
        outside = "://" in include.path or leads_out(path)
        if not outside and self.links.resolve(path) in self.known:
            return path
        reason = LeftOutReason.OUTSIDE if outside else LeftOutReason.MISSING
        self._leave(*_place(include.where), reason, include.path)
        return None

    def _leave(self, path: str, line: int | None, reason: LeftOutReason, detail: str = "") -> None:
        self.left_out.append(LeftOut(path=path, line=line, reason=reason, detail=detail))

    def _pin(
        self, said: Said, file: str, line: int, kind: PinKind, binding: Binding, *, constraint: bool = False
    ) -> ProjectPin:
        return ProjectPin(
            name=said.name,
            specifier=said.specifier,
            text=said.text,
            place=SourceLine(file=file, line=line),
            kind=kind,
            binding=binding,
            marker=said.marker,
            constraint=constraint,
            checkout=said.checkout,
        )


def _place(where: str) -> tuple[str, int | None]:
    """File and line of `requirements.txt:3`."""
    file, _, line = where.rpartition(":")
    return (file, int(line)) if file and line.isdecimal() else (where, None)


_DECLARED: tuple[
    tuple[frozenset[str] | re.Pattern[str], PinKind, Callable[[str], Iterator[declared.Line]]], ...
] = (
    (frozenset({"pyproject.toml"}), PinKind.PYPROJECT, declared.pyproject),
    (frozenset({"setup.cfg"}), PinKind.SETUP_CFG, declared.setup_cfg),
    (frozenset({"Pipfile"}), PinKind.PIPFILE, declared.pipfile),
    (_LOCKS, PinKind.LOCK, declared.lock_file),
    (_CONDA_LOCKS, PinKind.LOCK, conda_files.conda_lock),
    (frozenset({"pixi.toml"}), PinKind.CONDA, conda_files.pixi),
    (_CONDA, PinKind.CONDA, declared.conda_environment),
)
