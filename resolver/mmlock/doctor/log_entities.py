"""Versions, devices and packages that a text names, each with the line that does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from msgspec import Struct

from mmlock.core.names import PackageName, Platform, normalize
from mmlock.doctor.model import Log, LogLine
from mmlock.doctor.prefilter import Prefilter, needed, reduced
from mmlock.facts.matrix.load import Matrix

_RELEASE = r"(?P<v>\d{1,3}\.\d{1,3}\.\d{1,4}(?:(?:a|b|rc|\.dev)\d{1,9})?(?:\+[\w.]{1,40}\w)?)"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("python", r"[/\\]python(?P<v>3\.\d{1,2})t?[/\\]"),
        ("python", r"[Pp]ython(?: version)?:? {0,4}(?P<v>3\.\d{1,2})\b(?![/\\])"),
        ("python", r"\bcpython-(?P<tag>3\d{1,2})\b"),
        ("python", r"-cp(?P<tag>3\d{1,2})-(?:cp3|abi3)"),
        ("python", r"\.cp(?P<tag>3\d{1,2})-win"),
        ("python", r"[/\\]Python(?P<tag>3\d{1,2})[/\\]"),
        ("python", r"[-_]py(?P<tag>3\d{1,2})_(?:cu|cpu)"),
        ("torch", rf"PyTorch(?: version)?[: =]{{1,9}}{_RELEASE}"),
        ("torch", rf"\btorch(?:==|-| version:? | ){_RELEASE}"),
        ("torch", rf"\btorch\.__version__['\"]?\s{{0,9}}[=:,]{{1,2}}\s{{0,9}}['\"]?{_RELEASE}"),
        ("cuda", r"\bCUDA(?: compiler| version| toolkit)?[ :=]+(?P<v>\d{1,2}\.\d)\b"),
        ("cuda", r"(?:\+|/|\b)cu(?P<cu>\d{2,3})\b(?:/torch|\.|$|[^\w-])"),
        ("toolkit", r"Cuda compilation tools, release (?P<v>\d+\.\d)"),
        ("toolkit", r"[/\\]cuda-(?P<v>\d+\.\d)[/\\]"),
        ("toolkit", r"CUDA[/\\]v(?P<v>\d+\.\d)[/\\]"),
        ("driver", r"[Dd]river(?: [Vv]ersion)?[: ]{1,3}(?P<v>\d{3}\.\d+(?:\.\d+)?)"),
        ("gpu", r"GPU ?\d?(?:,\d)*: (?:NVIDIA )?(?P<v>[A-Z][\w-]+(?: [\w-]+)*)\s*(?:\(UUID|$)"),
        (
            "gpu",
            r"(?P<v>(?:NVIDIA )?(?:GeForce )?(?:RTX|GTX) ?(?:PRO )?A?\d{3,4}0?(?: ?Ti| ?SUPER| ?Super)?)\b",
        ),
        ("gpu", r"(?P<v>(?:NVIDIA |Tesla )(?:[AHBLTVPK]\d{1,3}0?0?)(?:-\w+)*)\b"),
        ("gpu", r"with CUDA capability (?P<v>sm_\d{2,3})"),
        ("gpu", r"(?P<v>\b(?:AMD )?(?:Instinct )?MI\d{2,3}[A-Z]?)\b"),
        ("gpu", r"(?P<v>\bRadeon(?: RX| PRO)? \w{2,8}(?: XTX?| XT)?)\b"),
        ("gpu", r"(?P<v>\bgfx[0-9a-f]{3,4})\b"),
        ("gpu", r"(?P<v>\bJetson [A-Z]\w+(?: [A-Z]\w+){0,2})"),
        ("gpu", r"\b(?P<v>npu):\d"),
        ("chip", r"(?<![\w.+-])(?P<v>[A-Z]{1,3}\d{2,4}[A-Z]{0,2}|Orin|Xavier)(?![\w.+])"),
        ("arch", r"\b(?:sm_|compute_)(?P<sm>\d{2,3})[af]?\b"),
        ("python", r"Python {1,4}3\.\d{1,2}\.\d{1,3} \(you have (?P<v>3\.\d{1,2})\b"),
    )
)
_COLLECTED = re.compile(r"^(?P<name>MM[A-Za-z0-9]+): +(?P<v>\d+\.\d[\w.+]*)$")
"""A line of OpenMMLab's `collect_env`."""
_PINNED = re.compile(r"\b(?P<name>[A-Za-z][\w-]{2,40})(?:==|-)(?P<v>\d+\.\d[\w.]*(?:\+[\w.]*\w)?)")
_LISTED = re.compile(r"^(?P<name>[A-Za-z][\w.-]{2,40}) {1,}(?P<v>\d+\.\d[\w.]*(?:\+[\w.]*\w)?)\s*$")
_SEEN = re.compile(
    r"(?:(?:site|dist)-packages[/\\]|[/\\](?=mm)|\bimport |\bfrom |No module named '?)(?P<name>\w+)"
)
_WINDOWS = re.compile(
    r"\b[A-Z]:[\\/](?![\\/])|Visual Studio|\.pyd\b|\bcl\.exe\b|\bwin_amd64\b|WinError|LNK\d{4}"
)
_MACOS = re.compile(r"\bdarwin\b|-darwin\.so|\bmacosx?[_ -]|\bmacOS\b|\.dylib\b|flat namespace")
_AARCH64 = re.compile(r"\baarch64\b|\bJetson\b|linux_aarch64")
_OFFICIAL = re.compile(r"(?:cpu|cu\d{2,3}|rocm\d{1,2}(?:\.\d{1,2}){0,3}|xpu)(?:[._].*)?")
"""The local part of a version of torch that an index has."""
_VENDOR = re.compile(r"(?:git)?[0-9a-f]{6,40}(?:[._].*)?|.*\bnv\d{2}\.\d{2}.*")
"""The local part of what a vendor built: a commit, a month of NVIDIA's containers."""
_CUDA = re.compile(r"cuda|CUDA|nvcc|NVIDIA|GPU|/cu\d{3}/")
_MAY_TELL = re.compile(
    r"\d\.\d|c[pu]\d|ython|py3|sm_|compute_|RTX|GTX|[A-Z]\d\d|gfx|npu|Jetson|Orin|Radeon|packages|import "
    r"|module|mm|MM|:[\\/]|CUDA|cuda|nvcc|GPU|NVIDIA|Win|win_|arwin|acos|acOS|aarch64|dylib"
)
"""A line without any of these names nothing."""


class LogEntity(Struct, frozen=True, kw_only=True):
    """Something a text names."""

    what: str
    """`python`, `torch`, `cuda`, `toolkit`, `driver`, `gpu`, `arch`, `platform`, or a distribution."""
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

    @property
    def vendor_torch(self) -> str | None:
        """A torch that someone built for a machine of theirs (Jetson, NGC): no index has it."""
        told = self.value("torch")
        if told is None:
            return None
        local = told.partition("+")[2]
        vendor = _VENDOR.fullmatch(local) is not None and _OFFICIAL.fullmatch(local) is None
        return told if vendor else None

    @property
    def platform(self) -> Platform | None:
        """The platform a text is from, where it is not the usual one."""
        seen = {row.value for row in self.rows if row.what == "platform"}
        for platform in (Platform.WINDOWS_X86_64, Platform.MACOS_ARM64, Platform.LINUX_AARCH64):
            if platform in seen:
                return platform
        return None

    def seen(self, what: str) -> bool:
        """Whether it is named at all."""
        return any(row.what == what for row in self.rows)


def find_log_entities(log: Log, matrix: Matrix) -> LogEntities:
    """What a text names of the things that the facts know."""
    known = _known(matrix)
    chips = _chips(matrix)
    rows: dict[tuple[str, str], LogEntity] = {}
    told: dict[bytes, int] = {}
    for line in log.lines:
        # Lines of a build or of a training differ in numbers and hashes only, and name the same things.
        kind = reduced(line.text.encode("utf-8", "replace"))
        if told.get(kind, 0) >= _PATIENCE or not _MAY_TELL.search(line.text):
            continue
        before = len(rows)
        for what, value in _of(line.text, known):
            if what == "chip":
                if value not in chips:
                    continue
                what = "gpu"  # noqa: PLW2901
            rows.setdefault((what, value), LogEntity(what=what, value=value, line=line))
        told[kind] = told.get(kind, 0) + 1 if len(rows) == before else 0
    return LogEntities(tuple(rows.values()))


_PATIENCE = 20
"""So many lines of a kind that name nothing new are looked at."""


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


def _chips(matrix: Matrix) -> frozenset[str]:
    """Short names of GPUs that are words of their own: `A100`, `B200`, `Orin`."""
    names = (name for row in matrix.gpus for name in (row.name, *row.aliases))
    words = {word for name in names for word in re.split(r"[\s-]", name)}
    return frozenset(word for word in words if len(word) > 2)  # noqa: PLR2004 - `T4` is a word of many meanings


def _of(text: str, known: Mapping[str, PackageName]) -> Iterator[tuple[str, str]]:
    for place in sorted(_worth(text)):
        what, pattern = _PATTERNS[place]
        for match in pattern.finditer(text):
            yield what, _value(match)
    for pattern in (_COLLECTED, _PINNED, _LISTED, _SEEN):
        for match in pattern.finditer(text):
            name = known.get(normalize(match["name"]))
            if name is not None:
                yield str(name), match.groupdict().get("v", "").rstrip(".")
    if "mmcv-full" in text or "mmcv_full" in text:
        yield "mmcv-full", ""
    for platform, pattern in (
        (Platform.WINDOWS_X86_64, _WINDOWS),
        (Platform.MACOS_ARM64, _MACOS),
        (Platform.LINUX_AARCH64, _AARCH64),
    ):
        if pattern.search(text):
            yield "platform", platform.value
    if _CUDA.search(text):
        yield "cuda-word", "yes"


@cache
def _finder() -> tuple[Prefilter, frozenset[int]]:
    """Which of the patterns are worth a search in a line, and which always are."""
    words = [needed(pattern.pattern) for _, pattern in _PATTERNS]
    return Prefilter(words), frozenset(place for place, one in enumerate(words) if not one)


def _worth(text: str) -> frozenset[int]:
    finder, always = _finder()
    return always.union(finder.places(text))


def _value(match: re.Match[str]) -> str:
    groups = match.groupdict()
    if tag := groups.get("tag"):
        return f"{tag[0]}.{tag[1:]}"
    if sm := groups.get("sm"):
        return f"sm_{sm}"
    if cu := groups.get("cu"):
        return f"{cu[:-1]}.{cu[-1]}"
    value = groups["v"]
    release, plus, local = value.partition("+")
    # `2.1.0+cuda` is how people write it; no torch has such a version.
    return value if not plus or _OFFICIAL.fullmatch(local) or _VENDOR.fullmatch(local) else release


def names(rows: Iterable[LogEntity]) -> tuple[str, ...]:
    """The values, each once."""
    return tuple(dict.fromkeys(row.value for row in rows))
