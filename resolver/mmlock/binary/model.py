"""What the files of a wheel say, and what follows from it for one torch build."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from mmlock.binary.fatbin import GpuCode
from mmlock.binary.tables import TorchBuildId
from mmlock.core.device import Code, Device
from mmlock.core.names import StrEnum


class BinaryFormat(StrEnum):
    """What a compiled file is."""

    ELF = "elf"
    PE = "pe"  # Windows: .pyd, .dll
    MACH_O = "mach-o"
    OTHER = "other"  # a text file named .so, for example


class Extent(StrEnum):
    """How much of a file was read."""

    WHOLE = "whole"
    PREFIX = "prefix"  # symbols and GPU samples from its first bytes; library names from its strings


class HasGpuCode(StrEnum):
    """Whether a file holds GPU code."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"  # it may, and was not read


class CompiledExtension(Struct, frozen=True, kw_only=True):
    """One shared object, as far as torch and the loader care."""

    path: str
    extent: Extent
    machine: str
    soname: str | None
    needed: tuple[str, ...]
    runpath: tuple[str, ...]
    torch_needs: tuple[str, ...]
    """Undefined torch names, sorted."""
    torch_gives: tuple[str, ...]
    """Torch-namespace names it defines itself, for its neighbours in the wheel."""
    undefined: int
    """All undefined names."""
    floors: Mapping[str, str]
    """`GLIBC`, `GLIBCXX`, `CXXABI` -> the highest version it asks for; empty when not read."""
    cxx11_abi: int | None
    gpu: HasGpuCode
    gpu_code: GpuCode | None
    modules: tuple[str, ...]
    """Python modules it can be imported as (`PyInit_*`)."""
    python: str | None
    """The Python its file name is for (`cpython-310`, `abi3`); None when it names none."""


class NotRead(Struct, frozen=True, kw_only=True):
    """A compiled file that was found and not understood."""

    path: str
    kind: BinaryFormat
    why: str


class Inspected(Struct, frozen=True, kw_only=True):
    """A wheel, a folder or an installed package: its compiled files and what it declares."""

    place: str
    """Where it was read from."""
    name: str | None
    version: str | None
    tags: tuple[str, ...]
    """`cp310-cp310-manylinux2014_x86_64`; empty for a folder."""
    requires: tuple[str, ...]
    """Requires-Dist, as declared; markers and extras included."""
    requires_python: str | None
    extensions: tuple[CompiledExtension, ...]
    bundled: tuple[str, ...]
    """File names of all its shared objects, the libraries that were copied in included."""
    not_read: tuple[NotRead, ...]
    bytes_read: int
    """Over the network; 0 for what is local."""
    size: int | None
    """Of the wheel."""


# ---------------------------------------------------------------- verdicts


class Answer(StrEnum):
    """Whether something holds."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


class ArguedAnswer(Struct, frozen=True, kw_only=True):
    """An answer and what it rests on."""

    answer: Answer
    evidence: tuple[str, ...]
    """Sentences, the deciding ones first."""
    names: tuple[str, ...] = ()
    """The symbols or sonames that decide, mangled as they are in the file."""


class PtxDriver(Struct, frozen=True, kw_only=True):
    """What compiles PTX of some language version."""

    cuda: str
    """The first toolkit that writes it."""
    driver: str | None
    """The oldest driver that reads it."""


class GpuFinding(Struct, frozen=True, kw_only=True):
    """What a wheel's kernels mean for one device."""

    device: Device
    code: Code
    cuda: str | None
    """With PTX: the first toolkit of its language version, where that can be read."""
    driver: str | None
    """With PTX: the oldest driver that can compile it, where it is known."""
    complete: bool
    """Whether all GPU code was read; False: the first kernels were, as a sample."""
    evidence: tuple[str, ...]


class Compatibility(Struct, frozen=True, kw_only=True):
    """What is known, before installing, of one wheel beside one torch build."""

    torch: TorchBuildId
    declared: ArguedAnswer
    """Whether its metadata admits this torch."""
    libraries: ArguedAnswer
    """Whether every library it needs will be there."""
    symbols: ArguedAnswer
    """Whether torch exports every torch name it needs, the C++ ABI included."""
    python: ArguedAnswer
    """Whether its files are for the Python its tags name, and for the one asked for."""
    gpus: tuple[GpuFinding, ...]

    @property
    def loads(self) -> Answer:
        """Whether `import` will get past the loader: libraries and symbols, not what is declared."""
        answers = {self.libraries.answer, self.symbols.answer}
        if Answer.FAILS in answers:
            return Answer.FAILS
        return Answer.UNKNOWN if Answer.UNKNOWN in answers else Answer.HOLDS

    @property
    def refused(self) -> bool:
        """Whether the wheel surely cannot be used: it does not load, or a device has no code in it."""
        dead = any(finding.code is Code.NONE for finding in self.gpus)
        return self.loads is Answer.FAILS or self.python.answer is Answer.FAILS or dead
