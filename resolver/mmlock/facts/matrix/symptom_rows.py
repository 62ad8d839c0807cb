"""The shape of the facts that the doctor reads: symptoms, phrases of other languages, compiled modules."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import Confidence, StrEnum


class SymptomKind(StrEnum):
    """Whose fault a symptom shows."""

    ENVIRONMENT = "environment"  # packages, compilers, drivers
    USAGE = "usage"  # code or configuration of the user


class Cure(Struct, frozen=True, kw_only=True):
    """A command that cures a symptom: a solve, unless another is given."""

    when: str = ""
    """For whom it is (`for code of mmcv 1.x`); empty: for everybody."""
    packages: tuple[str, ...] = ()
    """Requirements; `{subject}` is the package that the text is about (for OpenMMLab, the mmcv of the code's
    era), `{packages}` what the text names besides. A solve for which nothing is left is not proposed."""
    otherwise: tuple[str, ...] = ()
    """Requirements for a text that names no package."""
    torch: str | None = None
    options: tuple[str, ...] = ()
    """Further words of the solve."""
    command: str = ""
    """Instead of a solve, verbatim."""


class Symptom(Struct, frozen=True, kw_only=True):
    """A text that people see when something fails. File `curated/symptoms.toml`, key `id`.

    `title`, `cause` and `advice` may hold `{fields}`: named groups of the pattern, or what the examiner
    found. A sentence whose field stays empty is left out.
    """

    id: str
    title: str
    """What is wrong, as a clause."""
    kind: SymptomKind
    rank: int
    """0 is a cause; the higher, the more it is a consequence of whatever else is there."""
    patterns: tuple[str, ...]
    """Regular expressions, searched line by line; empty: only an examiner gives it. Whatever a pattern
    matches has a word of it, in clear and with at least three characters besides digits and `a` to `f`:
    lines without any such word are not looked at."""
    cause: tuple[str, ...]
    advice: tuple[str, ...]
    cures: tuple[Cure, ...] = ()
    examine: str | None = None
    """The examiner that looks closer."""
    breakage: str | None = None
    """Id of the row of `breaks.toml` that explains it."""
    covers: tuple[str, ...] = ()
    """Ids of symptoms that mean something else beside this one, and so are not told there."""
    example: str
    """A line, or two, that shows it."""
    source: tuple[str, ...]
    confidence: Confidence


class Phrase(Struct, frozen=True, kw_only=True):
    """What a compiler, loader, shell or system says in another language. File `curated/phrases.toml`.

    Key (language, said). Lines are read in English: `said` becomes `means` before patterns are searched.
    """

    language: str
    """As in the locale: `zh_CN`, `de`."""
    said: str
    """As its catalogue has it; `{x}` stands for one name between them."""
    means: str
    """What the same tool says in English; `{x}` likewise."""
    source: tuple[str, ...]
    confidence: Confidence


class CompiledModule(Struct, frozen=True, kw_only=True):
    """Whose a compiled module is. File `curated/compiled_modules.toml`, key `module`.

    Modules of the packages that mmlock decides are in `modules.toml`, unless their file has another name.
    """

    module: str
    """As it is imported, or as its file or folder is named (`selective_scan_cuda`, `torch_sparse`)."""
    package: str | None = None
    """The distribution, in normal form; None: a part of a project that is built in its checkout."""
    project: str | None = None
    """Whose it is, where that is no distribution."""
    build: str | None = None
    """How its authors say it is built or installed, verbatim."""
    source: tuple[str, ...]
    confidence: Confidence
