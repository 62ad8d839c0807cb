"""The request of a solve as the user states it, checked for form and for contradictions.

Nothing here knows which GPUs, versions or objectives exist: that is the matrix's and the solver's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.artifact import IndexSettings
from mmlock.core.faults import Fault, usage_error
from mmlock.core.named_indexes import index_fault, named_faults, normal_named
from mmlock.core.names import PackageName, Platform, normalize
from mmlock.core.project_pins import Guess, PinNote
from mmlock.core.requirements import Asked
from mmlock.core.solve_option import SolveOption, Wording
from mmlock.core.solve_options import LOCK_FORMATS, wordings
from mmlock.core.version_options import (
    cuda_of,
    driver_of,
    glibc_of,
    moment_of,
    python_of,
    severity_of,
    torch_of,
)

__all__ = ["AUTO", "CPU", "LOCK_FORMATS", "SolveArguments", "parse_platform", "torch_variant"]

AUTO = "auto"
CONDA, PYPI = "conda", "pypi"
ORIGINS = (CONDA, PYPI)
"""Where `--from` can take a package from."""
CPU = "cpu"
LONGEST = 200
"""Characters of a version, a date or a name; no real one has half as many."""


class SolveArguments(Struct, frozen=True, kw_only=True):
    """Everything a user can ask of a solve. `checked()` gives it in normal form.

    How a user states each of them is in `solve_options.OPTIONS`.
    """

    requirements: tuple[Asked, ...] = ()
    """Empty: what the stack says."""
    constraints: tuple[Asked, ...] = ()
    requires_python: str | None = None
    """PEP 440 bound of the user's project on Python."""
    project: Path | None = None
    """A source tree whose imports, pins and extensions are requested, too."""
    configs: tuple[str, ...] = ()
    """Configs of the project that narrow it to what they need."""
    notes: tuple[tuple[str, str], ...] = ()
    """What reading the project found that binds nothing: a place and a sentence each."""
    wishes: tuple[Asked, ...] = ()
    """What only tools and demos of the project import: in the lock, unless it makes the rest impossible."""
    guesses: tuple[Guess, ...] = ()
    """Imports of the project that nothing explains: in the lock where a wheel of that name has the module."""
    snapshot: tuple[Asked, ...] = ()
    """Exact versions of ordinary packages in an environment that the project exported: preferred."""
    undeclared: tuple[Guess, ...] = ()
    """Such imports in files that no main script reaches: told where the lock lacks the name."""
    pins: tuple[PinNote, ...] = ()
    """Every version that the project writes down, and what it does here."""
    advice: tuple[Asked, ...] = ()
    """What the project's own guide names: preferred where it holds; `python` and `cuda` among the names."""
    extensions: tuple[str, ...] = ()
    """Folders of extensions in the user's own tree: `models/ops`, `NAME==1.0 @ models/ops`."""
    stack: str | None = None
    gpus: tuple[str, ...] = ()
    """As typed: names, `auto`, `cpu`. One lock runs on all of them."""
    python: str | None = None
    """`3.12`, `3.13t`."""
    torch: str | None = None
    """PEP 440 specifier, perhaps with a variant: `==2.9.1`, `==2.9.*`, `>=2.6`, `==2.9.1+cu128`."""
    cuda: str | None = None
    """`12.8`."""
    driver: str | None = None
    """`570.86.10`."""
    platform: Platform | None = None
    glibc: str | None = None
    """`2.28`."""
    no_build: bool = False
    """Only what exists as a wheel."""
    no_abi_check: bool = False
    """The compiled files of the chosen wheels are not looked at."""
    allow_lite: bool = False
    """Packages without their compiled ops are an answer too."""
    allow_torch_ops: bool = False
    """Slower ops in plain PyTorch are an answer where no wheel is and nothing can be compiled."""
    torch_ops: tuple[str, ...] = ()
    """The ops of `mmcv.ops` that such a wheel must have; none named: all there are."""
    allow_sdist: tuple[PackageName, ...] = ()
    """Ordinary packages that may be built when they are installed."""
    with_conda: bool = False
    """Python, torch and what is linked to it come from conda channels."""
    origins: tuple[str, ...] = ()
    """Where packages come from: `conda:SPEC` is in the environment, `pypi:NAME` is of no channel."""
    channels: tuple[str, ...] = ()
    """Names or URLs of conda channels, the first one first; none: conda-forge."""
    no_known_cve: str | None = None
    """A `AdvisorySeverity`: no version with a known vulnerability as bad or worse is an answer."""
    allow_missing: tuple[str, ...] = ()
    """Modules that the project imports and that nothing needs to provide, in normal form."""
    without: tuple[str, ...] = ()
    """Modules and packages of the project that are left out, in normal form."""
    providers: tuple[str, ...] = ()
    """Who else's wheels are an answer: names of `curated/providers.toml`."""
    prefer: tuple[str, ...] = ()
    """Objectives that come first, in this order."""
    index: IndexSettings = IndexSettings()
    wheel_indexes: tuple[str, ...] = ()
    """Folders and indexes with compiled wheels of the user's own, as `mmlock farm publish` writes them."""
    offline: bool = False
    exclude_newer: str | None = None
    """ISO 8601 date or time: files uploaded later do not exist."""
    prerelease: bool = False
    out: Path | None = None
    lock_formats: tuple[str, ...] = LOCK_FORMATS
    matrices: Path | None = None
    """None: those that came with mmlock."""
    verdicts: tuple[Path, ...] = ()
    """Folders of locks whose verdicts count beside the recorded ones."""
    allowed_signers: tuple[Path, ...] = ()
    """Files with public keys: whose verdicts count, besides the user's own."""
    dry_run: bool = False
    """Write nothing into `out`."""
    upgrade: bool = False
    """Prefer nothing of the lock that is in `out` already."""
    upgrade_packages: tuple[PackageName, ...] = ()
    """Nor its versions of these packages."""
    preferences: tuple[tuple[PackageName, str], ...] = ()
    """Versions of an existing lock, kept where the request still allows them; `python` among the names. No
    part of the request's words: what is upgraded is left out."""

    def checked(self) -> SolveArguments:
        """The same request in normal form. Raises UsageError with every fault found."""
        faults: list[Fault] = []
        normal = _normal_form(self, faults)
        if found := faults or list(_contradictions(normal)):
            raise usage_error(found)
        return normal

    def words(self) -> tuple[str, ...]:
        """The request as command-line words, sorted; what it does not change is left out."""
        return tuple(sorted(word for option in wordings() for word in _words(self, option)))


def _words(arguments: SolveArguments, option: SolveOption) -> Iterable[str]:
    """How one option appears in the words of a request."""
    assert option.field is not None
    value = getattr(arguments, option.field)
    if value is None or value is False or value == ():
        return
    if value is True:
        yield f"--{option.name}"
        return
    for place, item in enumerate(value if isinstance(value, tuple) else (value,), start=1):
        text = item.text if isinstance(item, Asked) else str(item)
        if option.field == "torch" and "," not in text:
            text = text.removeprefix("==")
        if option.wording is Wording.BARE:
            yield text
        elif option.wording is Wording.RANKED:
            yield f"--{option.name}={place}:{text}"
        else:
            yield f"--{option.name}={text}"


def parse_platform(text: str) -> Platform | Fault:
    """A platform by its name or by one of its nicknames (`linux`, `aarch64`, `windows`)."""
    word = re.sub(r"[-. ]", "_", text.strip().lower())
    named = {str(platform): platform for platform in Platform}
    if found := named.get(_NICKNAMES.get(word, word)):
        return found
    hint = f"expected one of {', '.join(f'`{name}`' for name in named)}"
    return Fault(where="--platform", text=f"`{text}` is not a platform", hint=hint)


_NICKNAMES = {
    "linux": "linux_x86_64",
    "x86_64": "linux_x86_64",
    "aarch64": "linux_aarch64",
    "linux_arm64": "linux_aarch64",
    "macos": "macosx_arm64",
    "macos_arm64": "macosx_arm64",
    "macos_x86_64": "macosx_x86_64",
    "windows": "win_amd64",
    "windows_x86_64": "win_amd64",
}


# ---------------------------------------------------------------- normal form


def _normal_form(raw: SolveArguments, faults: list[Fault]) -> SolveArguments:
    def read(option: str, value: str | None, rule: Callable[[str], str | Fault]) -> str | None:
        if value is None:
            return None
        if len(value) > LONGEST:
            hint = "give the version alone"
            text = f"`{value[:20]}...` has {len(value)} characters, {LONGEST} are the most"
            faults.append(Fault(where=option, text=text, hint=hint))
            return None
        found = rule(value.strip())
        if isinstance(found, Fault):
            faults.append(replace(found, where=option))
            return value
        return found

    return replace(
        raw,
        gpus=_gpus(raw.gpus, faults),
        python=read("--python", raw.python, python_of),
        torch=read("--torch", raw.torch, torch_of),
        cuda=read("--cuda", raw.cuda, cuda_of),
        driver=read("--driver", raw.driver, driver_of),
        glibc=read("--glibc", raw.glibc, glibc_of),
        no_known_cve=read("--no-known-cve", raw.no_known_cve, severity_of),
        exclude_newer=read("--exclude-newer", raw.exclude_newer, moment_of),
        extensions=tuple(dict.fromkeys(text.strip() for text in raw.extensions)),
        torch_ops=tuple(sorted(set(raw.torch_ops))),
        allow_sdist=tuple(sorted({normalize(name) for name in raw.allow_sdist})),
        allow_missing=tuple(sorted({normalize(name) for name in raw.allow_missing})),
        origins=_origins(raw.origins, faults),
        without=tuple(sorted({normalize(name) for name in raw.without})),
        upgrade_packages=tuple(sorted({normalize(name) for name in raw.upgrade_packages})),
        providers=tuple(sorted({name.strip() for name in raw.providers})),
        prefer=tuple(dict.fromkeys(term.strip() for term in raw.prefer)),
        lock_formats=_lock_formats(raw.lock_formats, faults),
        index=_index(raw.index, faults),
    )


def _gpus(names: Iterable[str], faults: list[Fault]) -> tuple[str, ...]:
    """Names as typed, a comma separating several; `auto` and `cpu` in lower case."""
    names = tuple(names)
    if long := [name for name in names if len(name) > LONGEST]:
        text = f"`{long[0][:20]}...` is not the name of a device"
        faults.append(Fault(where="--gpu", text=text, hint="`mmlock gpus` lists them"))
    split = [name.strip() for text in names for name in text.split(",")]
    if "" in split:
        hint = "name a card (`--gpu rtx5090`), `auto` or `cpu`; `mmlock gpus` lists them"
        faults.append(Fault(where="--gpu", text="needs a name", hint=hint))
    words = (name.lower() if name.lower() in {AUTO, CPU} else name for name in split if name)
    return tuple(dict.fromkeys(words))


def _origins(texts: Iterable[str], faults: list[Fault]) -> tuple[str, ...]:
    """`conda:ffmpeg>=6`, `pypi:scipy`, without blanks around them."""
    found = []
    for text in texts:
        place, colon, rest = (part.strip() for part in text.partition(":"))
        if not colon or place not in ORIGINS or not re.match(r"[A-Za-z0-9_]", rest) or len(rest) > LONGEST:
            hint = "for example `--from 'conda:ffmpeg>=6'` or `--from pypi:scipy`"
            faults.append(Fault(where="--from", text=f"`{text[:40]}` names no origin and package", hint=hint))
        elif place == PYPI:
            found.append(f"{place}:{normalize(rest)}")
        else:
            found.append(f"{place}:{' '.join(rest.split())}")
    return tuple(sorted(dict.fromkeys(found)))


def _lock_formats(names: Iterable[str], faults: list[Fault]) -> tuple[str, ...]:
    asked = dict.fromkeys(name.strip().lower() for name in names)
    known = ", ".join(f"`{name}`" for name in LOCK_FORMATS)
    for name in asked:
        if name not in LOCK_FORMATS:
            hint = f"expected one of {known}"
            faults.append(Fault(where="--lock-format", text=f"`{name}` is not a lock format", hint=hint))
    return tuple(name for name in LOCK_FORMATS if name in asked) or LOCK_FORMATS


def _index(index: IndexSettings, faults: list[Fault]) -> IndexSettings:
    named = [("--index-url", index.index_url)] if index.index_url is not None else []
    named += [("--extra-index-url", url) for url in index.extra_index_urls]
    faults += [fault for option, url in named if (fault := index_fault(option, url or ""))]
    normal = replace(index, named=normal_named(index.named))
    faults += named_faults(normal.named)
    return normal


# ---------------------------------------------------------------- contradictions


def _contradictions(asked: SolveArguments) -> Iterable[Fault]:
    variant = torch_variant(asked.torch)
    if CPU in asked.gpus:
        yield from _cpu_and(asked, variant)
    if asked.cuda and variant == CPU:
        yield _against(f"--torch {asked.torch}", f"--cuda {asked.cuda}", "that build of torch has no CUDA")
    elif asked.cuda and variant and variant.startswith("cu") and cuda_of(variant) != asked.cuda:
        yield _against(f"--torch {asked.torch}", f"--cuda {asked.cuda}", "use one of them")
    if asked.origins and not asked.with_conda:
        yield Fault(where=f"--from {asked.origins[0]}", text="needs `--with-conda`", hint="add it")
    if asked.torch_ops and not asked.allow_torch_ops:
        hint = "add --allow-torch-ops: a compiled package has all its ops"
        yield Fault(where=f"--op {asked.torch_ops[0]}", text="is about ops in plain PyTorch only", hint=hint)
    if asked.platform and asked.glibc and not asked.platform.is_linux:
        hint = "only Linux has glibc: remove --glibc"
        yield _against(f"--platform {asked.platform}", f"--glibc {asked.glibc}", hint)


def _cpu_and(asked: SolveArguments, variant: str | None) -> Iterable[Fault]:
    others = [gpu for gpu in asked.gpus if gpu != CPU]
    if others:
        hint = "one lock runs on all named devices; make two locks, one for each"
        yield _against("--gpu cpu", f"--gpu {others[0]}", hint)
    for option, value in (("--cuda", asked.cuda), ("--driver", asked.driver)):
        if value:
            hint = f"remove {option}, or name the card with --gpu"
            yield _against("--gpu cpu", f"{option} {value}", hint)
    # A CUDA build of torch runs on a CPU, too, and PyPI has no other of old releases.
    if variant and variant != CPU and not variant.startswith("cu"):
        hint = "remove the variant, or name the card with --gpu"
        yield _against("--gpu cpu", f"--torch {asked.torch}", hint)


def torch_variant(specifier: str | None) -> str | None:
    """`==2.9.1+cu128` -> `cu128`."""
    _, plus, local = (specifier or "").partition("+")
    return local.split(",")[0] if plus else None


def _against(first: str, second: str, hint: str) -> Fault:
    return Fault(where="the request", text=f"`{first}` contradicts `{second}`", hint=hint)
