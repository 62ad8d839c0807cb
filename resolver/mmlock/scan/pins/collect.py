"""All pins of a tree: each file by its name, requirement files by what leads to them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from posixpath import basename, dirname, normpath

from mmlock.core.artifact import IndexSettings
from mmlock.core.requirements import parse_file
from mmlock.scan.model import Place
from mmlock.scan.pins import declared, documents
from mmlock.scan.pins.commands import Said, first_words
from mmlock.scan.pins.model import Binding, Pin, PinKind
from mmlock.scan.source import Unread

__all__ = ["collect"]

_REQUIREMENTS = re.compile(r"(?:requirements?|constraints?)[\w.-]*\.(?:txt|in)$", re.IGNORECASE)
_DOCUMENT = re.compile(r"(?:readme|install|get_?started|faq)[\w.-]*\.(?:md|rst|txt)$", re.IGNORECASE)
_DOCKERFILE = re.compile(r"(?:dockerfile(?:[.-][\w.-]+)?|[\w.-]+\.dockerfile)$", re.IGNORECASE)
_CONDA = re.compile(r"\A(?:environment|conda|env)[\w.-]*\.ya?ml$", re.IGNORECASE)
_TAKEN = frozenset({"requirements.txt", "requirements/mminstall.txt"})
"""What tools install for a project unasked: pip by habit, mim by its own rule."""
_LOCKS = frozenset({"poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Pipfile.lock"})

Read = Callable[[str], str]
"""The text of a file of the project. Raises Unread."""


def collect(files: Iterable[str], read: Read) -> tuple[list[Pin], list[tuple[str, str]]]:
    """Every pin, and the files that could not be read."""
    collector = _Collector(tuple(files), read)
    for file in collector.files:
        collector.file(file)
    collector.requirement_files()
    return collector.pins, collector.unread


class _Collector:
    def __init__(self, files: tuple[str, ...], read: Read) -> None:
        self.files = files
        self.known = frozenset(files)
        self.read = read
        self.pins: list[Pin] = []
        self.unread: list[tuple[str, str]] = []
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
        except Unread as why:
            self.unread.append((file, str(why)))

    def _pins(self, file: str, name: str) -> Iterator[Pin]:
        own = Binding.DECLARED if not dirname(file) else Binding.OPTIONAL
        for names, kind, reader in _DECLARED:
            if (name in names) if isinstance(names, frozenset) else names.match(name):
                binding = Binding.LOCKED if kind is PinKind.LOCK else own
                for line, said, extra in reader(self.read(file)):
                    yield self._pin(said, file, line, kind, Binding.OPTIONAL if extra else binding)
                return
        if _DOCKERFILE.match(name):
            yield from self._said(documents.dockerfile, file, PinKind.DOCKERFILE, Binding.COMMAND)
        elif name.endswith((".sh", ".bash")):
            yield from self._said(documents.script, file, PinKind.SCRIPT, Binding.COMMAND)
        elif _DOCUMENT.match(name):
            yield from self._said(documents.markdown, file, PinKind.DOCUMENT, Binding.ADVICE)
        elif name.endswith(".ipynb"):
            yield from self._said(documents.notebook, file, PinKind.NOTEBOOK, Binding.ADVICE)

    def _said(
        self, reader: Callable[[str], Iterator[tuple[int, Said]]], file: str, kind: PinKind, binding: Binding
    ) -> Iterator[Pin]:
        text = self.read(file)
        if kind is PinKind.DOCKERFILE or first_words([text]):
            for line, said in reader(text):
                yield self._pin(said, file, line, kind, binding)

    def _setup(self, file: str) -> None:
        found, files = declared.setup_py(self.read(file))
        own = Binding.DECLARED if not dirname(file) else Binding.OPTIONAL
        for line, said, extra in found:
            binding = Binding.OPTIONAL if extra else own
            self.pins.append(self._pin(said, file, line, PinKind.SETUP, binding))
        if not dirname(file):
            self.declared += [(normpath(name), False) for name in files]

    def requirement_files(self) -> None:
        """Those the project takes in first, with what they include; then the others, as optional."""
        done: set[str] = set()
        self._follow(self.declared, Binding.DECLARED, done)
        others = [(file, "constraint" in file) for file in self.files if self._is_requirements(file)]
        self._follow(others, Binding.OPTIONAL, done)

    def _follow(self, waiting: list[tuple[str, bool]], binding: Binding, done: set[str]) -> None:
        queue = deque(waiting)
        while queue:
            file, constraint = queue.popleft()
            if file in done or file not in self.known:
                continue
            done.add(file)
            try:
                queue += self._requirements(file, binding, constraint=constraint)
            except Unread as why:
                self.unread.append((file, str(why)))

    def _is_requirements(self, file: str) -> bool:
        inside = basename(dirname(file)) == "requirements" and file.endswith((".txt", ".in"))
        return inside or bool(_REQUIREMENTS.match(basename(file)))

    def _requirements(self, file: str, binding: Binding, *, constraint: bool) -> list[tuple[str, bool]]:
        parsed = parse_file(self.read(file), file, constraint=constraint)
        for asked in (*parsed.gathered.requirements, *parsed.gathered.constraints):
            line = int(asked.origin.rpartition(":")[2])
            said = (asked.name, asked.specifier, asked.text, asked.marker)
            pin = self._pin(said, file, line, PinKind.REQUIREMENTS, binding, constraint=constraint)
            self.pins += [pin] if asked.url is None else []
        self.unread += [(fault.where, fault.text) for fault in parsed.faults]
        if parsed.gathered.index != IndexSettings():
            self.unread.append((file, "names an index of its own: give that to mmlock by option"))
        return [(one.path, one.constraint) for one in parsed.includes]

    def _pin(
        self, said: Said, file: str, line: int, kind: PinKind, binding: Binding, *, constraint: bool = False
    ) -> Pin:
        name, specifier, text, marker = said
        return Pin(
            name=name,
            specifier=specifier,
            text=text,
            place=Place(file=file, line=line),
            kind=kind,
            binding=binding,
            marker=marker,
            constraint=constraint,
        )


_DECLARED: tuple[
    tuple[frozenset[str] | re.Pattern[str], PinKind, Callable[[str], Iterator[declared.Line]]], ...
] = (
    (frozenset({"pyproject.toml"}), PinKind.PYPROJECT, declared.pyproject),
    (frozenset({"setup.cfg"}), PinKind.SETUP_CFG, declared.setup_cfg),
    (frozenset({"Pipfile"}), PinKind.PIPFILE, declared.pipfile),
    (_LOCKS, PinKind.LOCK, declared.lock_file),
    (_CONDA, PinKind.CONDA, declared.conda_environment),
)
