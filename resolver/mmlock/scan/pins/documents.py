"""Dockerfiles, shell scripts, READMEs and notebooks: the installs in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmlock.core.names import PackageName
from mmlock.scan.notebook import code_cells
from mmlock.scan.pins.commands import Said, command_pins, logical_lines, variables
from mmlock.scan.pins.repositories import address_name

__all__ = ["dockerfile", "markdown", "notebook", "script"]

_FROM_TORCH = re.compile(r"pytorch/pytorch:v?(\d[\d.]*)(?:-cuda(\d+\.\d+))?")
_FROM_CUDA = re.compile(r"nvidia/cuda:(\d+\.\d+)")
_FROM_PYTHON = re.compile(r"(?:^|/)python:(\d+\.\d+)")
_ASSIGNED = re.compile(r"(?:ARG|ENV)\s+(\w+)[=\s]\s*[\"']?([^\"'\s]*)")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_SPAN = re.compile(r"`([^`]+)`")
_PROMPT = re.compile(r"^\s*(?:[$>%!]\s+|\([\w.-]+\)\s*\$?\s*)?")

Line = tuple[int, Said]


def dockerfile(text: str) -> Iterator[Line]:
    """`FROM` lines of known images, and the commands of `RUN` lines; ARG and ENV are put in."""
    known: dict[str, str] = {}
    for number, raw in logical_lines(text):
        line = raw.strip()
        if assigned := _ASSIGNED.match(line):
            known[assigned[1]] = variables(assigned[2], known)
        filled = variables(line, known)
        if filled.upper().startswith("FROM "):
            yield from ((number, said) for said in _image(filled.split()[1]))
        elif filled.upper().startswith("RUN "):
            yield from ((number, said) for said in command_pins(filled[4:]))


def _image(image: str) -> Iterator[Said]:
    if match := _FROM_TORCH.search(image):
        yield Said(PackageName("torch"), f"=={match[1]}", image)
        if match[2]:
            yield Said(PackageName("cuda"), f"=={match[2]}.*", image)
    elif match := _FROM_CUDA.search(image):
        yield Said(PackageName("cuda"), f"=={match[1]}.*", image)
    elif match := _FROM_PYTHON.search(image):
        yield Said(PackageName("python"), f"=={match[1]}.*", image)


def script(text: str) -> Iterator[Line]:
    """The commands of a shell script; its plain variables are put in."""
    known: dict[str, str] = {}
    for number, line in logical_lines(text):
        if line.lstrip().startswith("#"):
            continue
        if assigned := re.match(r"\s*(?:export\s+)?(\w+)=[\"']?([\w.+-]+)[\"']?\s*$", line):
            known[assigned[1]] = assigned[2]
        yield from ((number, said) for said in command_pins(variables(line, known)))


_CLONE = re.compile(r"\bgit\s+clone\s")
_COMMAND_END = re.compile(r"[;&|]")
_BRANCH = re.compile(r"\s(?:-b|--branch)[ =](\S+)")
_CHECKOUT = re.compile(r"\bgit\s+checkout\s+(\S+)")
_TAG = re.compile(r"v?(\d+(?:\.\d+){1,3}(?:rc\d+)?)$")


def _cloned(line: str) -> Iterator[PackageName]:
    """What the repositories are called that the commands of a line clone."""
    for command in _COMMAND_END.split(line):
        if clone := _CLONE.search(command):
            names = (address_name(word) for word in command[clone.end() :].split() if "/" in word)
            yield from (name for name in names if name is not None)


class _Clones:
    """Releases that a guide takes from a repository: `git clone .../Name`, then `git checkout v0.17.1`."""

    def __init__(self) -> None:
        self._name: PackageName | None = None

    def feed(self, number: int, line: str) -> Iterator[Line]:
        tag = _CHECKOUT.search(line)
        if clone := next(_cloned(line), None):
            self._name = clone
            tag = tag or _BRANCH.search(line)
        if tag and self._name is not None and (found := _TAG.match(tag[1])):
            yield number, Said(self._name, f"=={found[1]}", f"{self._name} {tag[1]} (git)", checkout=True)


def markdown(text: str) -> Iterator[Line]:
    """The commands in code blocks and code spans of Markdown or reStructuredText."""
    fenced = False
    clones = _Clones()
    for number, line in logical_lines(text):
        yield from clones.feed(number, line)
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced or line.startswith(("    ", "\t", "$ ")):
            bare = _PROMPT.sub("", line, count=1)
            yield from ((number, said) for said in command_pins(bare))
        else:
            for span in _SPAN.findall(line):
                yield from ((number, said) for said in command_pins(span))


def notebook(text: str) -> Iterator[Line]:
    """The shell lines (`!pip install ...`, `%pip install ...`) of a notebook's code.

    Raises UnreadSourceError.
    """
    for cell in code_cells(text):
        shell = bool(cell) and cell[0][1].startswith(("%%bash", "%%sh"))
        for number, line in cell:
            bare = line.strip()
            if shell or bare.startswith(("!", "%pip", "%conda")):
                yield from ((number, said) for said in command_pins(bare.lstrip("!%")))
