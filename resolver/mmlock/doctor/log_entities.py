"""Versions, devices and packages that a text names, each with the line that does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from mmlock.core.names import PackageName, normalize
from mmlock.doctor.log import RepeatedLines
from mmlock.doctor.model import Log, LogLine
from mmlock.facts.matrix.load import Matrix

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("python", r"[/\\]python(?P<v>3\.\d{1,2})t?[/\\]"),
        ("python", r"[Pp]ython(?: version)?:? +(?P<v>3\.\d{1,2})\b"),
        ("python", r"\bcpython-(?P<tag>3\d{1,2})\b"),
        ("python", r"-cp(?P<tag>3\d{1,2})-(?:cp3|abi3)"),
        ("python", r"\.cp(?P<tag>3\d{1,2})-win"),
        ("python", r"[/\\]Python(?P<tag>3\d{1,2})[/\\]"),
        ("torch", r"PyTorch(?: version)?[: =]+(?P<v>\d+\.\d+\.\d+(?:\+\w+)?)"),
        ("torch", r"\btorch(?:==|-| version:? | )(?P<v>\d+\.\d+\.\d+(?:\+\w+)?)\b"),
        ("cuda", r"\bCUDA(?: compiler| version| toolkit)?[ :=]+(?P<v>\d{1,2}\.\d)\b"),
        ("cuda", r"(?:\+|/|\b)cu(?P<cu>\d{2,3})\b(?:/torch|\.|$|[^\w-])"),
        ("toolkit", r"Cuda compilation tools, release (?P<v>\d+\.\d)"),
        ("toolkit", r"[/\\]cuda-(?P<v>\d+\.\d)[/\\]"),
        ("driver", r"[Dd]river [Vv]ersion[: ]+(?P<v>\d{3}\.\d+(?:\.\d+)?)"),
        ("gpu", r"GPU ?\d?(?:,\d)*: (?:NVIDIA )?(?P<v>[A-Z][\w-]+(?: [\w-]+)*)\s*(?:\(UUID|$)"),
        (
            "gpu",
            r"(?P<v>(?:NVIDIA )?(?:GeForce )?(?:RTX|GTX) ?(?:PRO )?A?\d{3,4}0?(?: ?Ti| ?SUPER| ?Super)?)\b",
        ),
        ("gpu", r"(?P<v>(?:NVIDIA |Tesla )(?:[AHBLTVP]\d{1,3}0?0?)(?:-\w+)*)\b"),
        ("gpu", r"with CUDA capability (?P<v>sm_\d{2,3})"),
    )
)
_COLLECTED = re.compile(r"^(?P<name>MM[A-Za-z0-9]+): +(?P<v>\d+\.\d[\w.+]*)$")
"""A line of OpenMMLab's `collect_env`."""
_PINNED = re.compile(r"\b(?P<name>[A-Za-z][\w-]{2,40})(?:==|-)(?P<v>\d+\.\d[\w.]*(?:\+\w+)?)")
_LISTED = re.compile(r"^(?P<name>[A-Za-z][\w.-]{2,40}) {1,}(?P<v>\d+\.\d[\w.]*(?:\+\w+)?)\s*$")
_SEEN = re.compile(
    r"(?:(?:site|dist)-packages[/\\]|[/\\](?=mm)|\bimport |\bfrom |No module named '?)(?P<name>\w+)"
)
_WINDOWS = re.compile(r"\b[A-Z]:\\|Visual Studio|\.pyd\b|\bcl\.exe\b")
_CUDA = re.compile(r"cuda|CUDA|nvcc|NVIDIA|GPU|/cu\d{3}/")
_MAY_TELL = re.compile(
    r"\d\.\d|c[pu]\d|ython|sm_|RTX|GTX|packages|import |module|mm|MM|:\\|CUDA|cuda|nvcc|GPU|NVIDIA"
)
"""A line without any of these names nothing."""


class LogEntity(Struct, frozen=True, kw_only=True):
    """Something a text names."""

    what: str
    """`python`, `torch`, `cuda`, `toolkit`, `driver`, `gpu`, `windows`, or a distribution in normal form."""
    value: str
    """A version, a name; empty when only the name of a package was seen."""
    line: LogLine


class LogEntities(Struct, frozen=True):
    """All of them, in the order of the text."""

    rows: tuple[LogEntity, ...]

    def of(self, what: str) -> Iterator[LogEntity]:
        """Those of one kind that say a value."""
        return (row for row in self.rows if row.what == what and row.value)

    def value(self, what: str) -> str | None:
        """The last one that is told: what a log says at its end is what was running."""
        entities = list(self.of(what))
        return entities[-1].value if entities else None

    def teller(self, what: str) -> str:
        """Who told the last one, with its verb: the text, or the environment that was looked at."""
        entities = list(self.of(what))
        return "the environment has" if entities and entities[-1].line.number == 0 else "the text names"

    def seen(self, what: str) -> bool:
        """Whether it is named at all."""
        return any(row.what == what for row in self.rows)


def find_log_entities(log: Log, matrix: Matrix) -> LogEntities:
    """What a text names of the things that the facts know."""
    known = _known(matrix)
    rows: dict[tuple[str, str], LogEntity] = {}
    repeated = RepeatedLines(log)
    for line in log.lines:
        if repeated.of(line) or not _MAY_TELL.search(line.text):
            continue
        repeated.told_nothing(line)
        for what, value in _of(line.text, known):
            rows.setdefault((what, value), LogEntity(what=what, value=value, line=line))
    return LogEntities(tuple(rows.values()))


def installed(facts: Iterable[tuple[str, str]]) -> tuple[LogEntity, ...]:
    """What the files of an environment tell, as mentions: (what, value)."""
    line = LogLine(number=0, text="the environment")
    return tuple(LogEntity(what=what, value=value, line=line) for what, value in facts)


def _known(matrix: Matrix) -> Mapping[str, PackageName]:
    """Words that stand for a distribution: its own name, and its module's."""
    words = {str(package): package for module in matrix.modules for package in module.packages}
    for module in matrix.modules:
        words.setdefault(normalize(module.module), module.packages[0])
    # `collect_env` writes MMDetection and MMSegmentation, whose distributions are named otherwise.
    words["mmdetection"] = PackageName("mmdet")
    words["mmdetection3d"] = PackageName("mmdet3d")
    return words


def _of(text: str, known: Mapping[str, PackageName]) -> Iterator[tuple[str, str]]:
    for what, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            yield what, _value(match)
    for pattern in (_COLLECTED, _PINNED, _LISTED, _SEEN):
        for match in pattern.finditer(text):
            name = known.get(normalize(match["name"]))
            if name is not None:
                yield str(name), match.groupdict().get("v", "").rstrip(".")
    if "mmcv-full" in text or "mmcv_full" in text:
        yield "mmcv-full", ""
    if _WINDOWS.search(text):
        yield "windows", "yes"
    if _CUDA.search(text):
        yield "cuda-word", "yes"


def _value(match: re.Match[str]) -> str:
    groups = match.groupdict()
    if tag := groups.get("tag"):
        return f"{tag[0]}.{tag[1:]}"
    if cu := groups.get("cu"):
        return f"{cu[:-1]}.{cu[-1]}"
    return groups["v"]


def names(rows: Iterable[LogEntity]) -> tuple[str, ...]:
    """The values, each once."""
    return tuple(dict.fromkeys(row.value for row in rows))
