"""A diagnosis as values."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from mmlock.core.names import Confidence, StrEnum
from mmlock.facts.matrix.symptom_rows import Symptom, SymptomKind


class NotText(StrEnum):
    """What a file is that holds no text."""

    ELF = "elf"
    ZIP = "zip"  # an archive, or a wheel
    GZIP = "gzip"
    XZ = "xz"
    BZIP2 = "bzip2"
    ZSTD = "zstd"
    PDF = "pdf"
    IMAGE = "image"
    WINDOWS_PROGRAM = "windows-program"
    BINARY = "binary"  # nothing that is known


class LogLine(Struct, frozen=True, kw_only=True):
    """One line of a text."""

    number: int
    """From 1."""
    text: str


class Log(Struct, frozen=True, kw_only=True):
    """A text as far as it is kept: all of it, or what may matter of a huge one."""

    lines: tuple[LogLine, ...]
    total: int
    """Lines it has in all."""
    size: int
    """Bytes."""
    whole: bool
    """Whether every line is kept."""
    cut: int = 0
    """Kept lines of which a part is left out, for they are longer than any line that people read."""
    binary: NotText | None = None
    """What it is instead of a text."""


class SymptomMatch(Struct, frozen=True, kw_only=True):
    """A symptom in a text."""

    row: Symptom
    lines: tuple[LogLine, ...]
    """The first few that show it."""
    count: int
    """How many do."""
    fields: Mapping[str, str]
    """The named groups of the pattern in its first line."""

    @property
    def first(self) -> int:
        return self.lines[0].number


class ProposedSolve(Struct, frozen=True, kw_only=True):
    """A solve that would cure."""

    when: str = ""
    """For whom it is (`for code of mmcv 1.x`); empty: for everybody."""
    packages: tuple[str, ...]
    gpu: str
    """As typed after `--gpu`."""
    python: str | None = None
    torch: str | None = None
    cuda: str | None = None
    options: tuple[str, ...] = ()
    note: str = ""
    """What was decided without evidence, or given up."""


class Proposal(Struct, frozen=True, kw_only=True):
    """A command that cures, and what it is known to give."""

    command: str
    when: str = ""
    gives: str | None = None
    """What the core solve picked; None: it was not tried."""
    note: str = ""


class Told(StrEnum):
    """How a text tells what it is about, the surest first."""

    FILE = "file"  # a compiled file that failed
    MODULE = "module"  # a module that is not found
    BUILD = "build"  # a wheel that was being built or looked for
    FRAME = "frame"  # the innermost frame of the traceback


class Subject(Struct, frozen=True, kw_only=True):
    """Who failed."""

    told: Told
    module: str = ""
    """As its folder or file is named; empty when only a distribution is named."""
    package: str | None = None
    """The distribution in normal form; None: unknown, or a part of a project's own sources."""
    version: str | None = None
    project: str | None = None
    """Whose it is, where that is no distribution."""
    build: str | None = None
    """How its authors say it is built."""
    own: bool = False
    """Whether it is compiled in a checkout: no index has it."""
    decided: bool = False
    """Whether mmlock can lock it."""

    @property
    def name(self) -> str:
        """What to call it."""
        return self.package or self.project or (f"`{self.module}`" if self.module else "")


class Examination(Struct, frozen=True, kw_only=True):
    """What an examiner makes of a match."""

    row: str | None = None
    """Id of a more exact symptom; None: the matched one holds."""
    fields: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    """What the facts say, as sentences."""
    solves: tuple[ProposedSolve, ...] | None = None
    """Instead of those that the row's cures make."""
    subject: Subject | None = None
    """Who failed, where that is known better than by the text around the match."""
    lines: tuple[LogLine, ...] = ()
    """Lines that show it, instead of those of the match."""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """One thing that is wrong: why it is believed, and what to do."""

    symptom: str
    kind: SymptomKind
    title: str
    lines: tuple[LogLine, ...]
    count: int
    evidence: tuple[str, ...]
    cause: tuple[str, ...]
    advice: tuple[str, ...]
    without_lock: tuple[str, ...]
    """The advice that holds where no solve has a solution."""
    solves: tuple[ProposedSolve, ...]
    commands: tuple[Proposal, ...]
    source: tuple[str, ...]
    confidence: Confidence
    rank: int
    subject: str = ""
    """The package that failed, as it is called; empty: the text does not tell."""

    @property
    def first(self) -> int:
        return self.lines[0].number if self.lines else 0
