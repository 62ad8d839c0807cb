"""Install commands of pip, mim, uv, conda -> pins. Shell text in, values out; nothing is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from mmlock.core.faults import Fault
from mmlock.core.names import PackageName, normalize
from mmlock.core.requirements import parse_requirement
from mmlock.core.versions import is_specifier
from mmlock.scan.pins.repositories import repository_name

__all__ = ["Said", "command_pins", "conda_pin", "logical_lines", "pip_pin", "variables"]


class Said(NamedTuple):
    """What one line says of one package."""

    name: PackageName
    specifier: str
    text: str
    """As written."""
    marker: str | None = None
    checkout: bool = False
    """Whether `name` is that of a repository, and the version a tag of it that a command checks out."""


"""Name, PEP 440 specifier, the words as written, marker."""

_SEPARATORS = re.compile(r"&&|\|\||[;|&]")
_VALUED = frozenset(
    {
        "-r",
        "-c",
        "-f",
        "-i",
        "-t",
        "-n",
        "-p",
        "--name",
        "--prefix",
        "--channel",
        "--requirement",
        "--constraint",
    }
    | {
        "--find-links",
        "--index-url",
        "--extra-index-url",
        "--target",
        "--root",
        "--no-binary",
        "--only-binary",
    }
    | {"--trusted-host", "--timeout", "--cache-dir", "--file", "--python", "--platform", "--config-settings"}
    | {"-e", "--editable", "--build-option", "--global-option", "--upgrade-strategy", "--index-strategy"}
)
_CONDA = frozenset({"conda", "mamba", "micromamba"})
_CONDA_NAMES: Mapping[str, str] = {
    "pytorch": "torch",
    "pytorch-gpu": "torch",
    "pytorch-cuda": "cuda",
    "cudatoolkit": "cuda",
    "cuda-toolkit": "cuda",
    "cuda-nvcc": "cuda",
    "cuda": "cuda",
}
_VARIABLE = re.compile(r"\$\{?(\w+)(?::?-([^}]*))?\}?")
_CONDA_SPEC = re.compile(r"([A-Za-z0-9_.\-]+)\s*(.*)")


def logical_lines(text: str, first: int = 1) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined, each with the number it starts on."""
    start, held = 0, ""
    for number, line in enumerate(text.splitlines(), start=first):
        start = start or number
        if line.rstrip().endswith("\\"):
            held += line.rstrip()[:-1] + " "
            continue
        yield start, held + line
        start, held = 0, ""
    if held:
        yield start, held


_ROOM = 4096
"""So many characters more may variables make of a text: `A=$A$A` doubles with every line."""


def variables(text: str, known: Mapping[str, str]) -> str:
    """The text with the variables that are known put in, as far as there is room."""
    room = _ROOM

    def value(match: re.Match[str]) -> str:
        nonlocal room
        put = known.get(match[1], match[2] or match[0])
        room -= max(0, len(put) - len(match[0]))
        return put if room >= 0 else match[0]

    return _VARIABLE.sub(value, text)


def command_pins(line: str) -> Iterator[Said]:
    """What the commands of one line install."""
    for part in _SEPARATORS.split(_unquoted(line)):
        words = _words(part)
        while words and (words[0] in {"sudo", "RUN", "!", "%", "$", ">", "exec", "time"} or "=" in words[0]):
            words.pop(0)
        if words:
            words[0] = words[0].lstrip("!%$")
            yield from _command([word for word in words if word])


def _unquoted(line: str) -> str:
    """Separators inside quotes are no separators: `pip install "torch>=1.8;python_version<'3.9'"`."""
    return re.sub(r"(['\"])(.*?)\1", lambda match: re.sub(r"[;&|]", "\x1f", match[0]), line)


_LONGEST = 20_000
"""Characters of a command that is split as a shell does: that takes quadratic time for a long word."""


def _words(part: str) -> list[str]:
    try:
        words = shlex.split(part, comments=True) if len(part) <= _LONGEST else part.split()
    except ValueError:
        words = part.split()
    return [word.replace("\x1f", ";") for word in words]


def _command(words: list[str]) -> Iterator[Said]:
    name = words[0].rpartition("/")[2] if words else ""
    if name.startswith("python") and words[1:3] == ["-m", "pip"]:
        words = words[2:]
    elif name == "uv" and len(words) > 1:
        words = words[1:]
        words[0:1] = ["pip", "install"] if words[0] == "add" else words[0:1]
    name = words[0].rpartition("/")[2] if words else ""
    if len(words) < 2:  # noqa: PLR2004 - a tool and what to do
        return
    if re.fullmatch(r"pip[\d.]*|mim", name) and words[1] == "install":
        yield from _all(words[2:], pip_pin)
    elif name in _CONDA and words[1] in {"install", "create"}:
        yield from _all(words[2:], conda_pin)


def _all(words: list[str], read: object) -> Iterator[Said]:
    assert callable(read)
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _VALUED
        elif pin := read(word):
            yield pin


def pip_pin(word: str) -> Said | None:
    """A requirement as pip takes it, on a repository too; None for a path, a URL or a placeholder."""
    if (name := repository_name(word)) is not None:
        return Said(name, "", word)
    if not re.match(r"[A-Za-z0-9]", word) or "://" in word or word.endswith((".whl", ".txt", ".tar.gz")):
        return None
    requirement = parse_requirement(word, "")
    if isinstance(requirement, Fault) or requirement.url:
        return None
    return Said(requirement.name, requirement.specifier, word, requirement.marker)


def conda_pin(word: str) -> Said | None:
    """A conda match specification: `pytorch=1.9`, `conda-forge::numpy>=1.2`, `python==3.9.*=build`."""
    bare = word.rpartition("::")[2].strip()
    match = _CONDA_SPEC.fullmatch(bare)
    if match is None:
        return None
    name = normalize(_CONDA_NAMES.get(match[1].lower(), match[1]))
    specifier = _conda_specifier(match[2].replace(" ", ""))
    return Said(name, specifier, word) if specifier is not None else None


def _conda_specifier(text: str) -> str | None:
    if not text:
        return ""
    if re.match(r"=[^=]", text):
        number = text[1:].partition("=")[0].removesuffix("*").rstrip(".")
        exact = number.count(".") >= 2  # noqa: PLR2004 - `1.9` is a series, `1.9.0` a release
        specifier = f"=={number}" if exact else f"=={number}.*"
    else:
        specifier = re.sub(r"(==[^=,]+)=[^,]*", r"\1", text)
        specifier = ",".join(f"=={part}" if part[:1].isdigit() else part for part in specifier.split(","))
    return specifier if is_specifier(specifier) else None


def first_words(lines: Iterable[str]) -> bool:
    """Whether any line holds an install command at all: a cheap look before the parsing."""
    return any(_INSTALLS.search(line) for line in lines)


_INSTALLS = re.compile(r"\b(?:install|create|add|clone)\b")
