"""`build.sh`: builds what the lock lacks and installs all of it by hash, without mmlock."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from mmlock.core.artifact import Artifact
from mmlock.core.errors import UsageError
from mmlock.core.extension import LEFT_BY_BUILDS, MADE, ROOT, SourceTree
from mmlock.core.names import ToolchainProvider
from mmlock.lock.fields import url_file_name
from mmlock.lock.formats.parts import describe_target, plain
from mmlock.lock.model import FetchStep
from mmlock.wheels.export.conda_part import FUNCTIONS, MAKE, explicit
from mmlock.wheels.export.model import Export, PlannedBuild, lines
from mmlock.wheels.export.words import expanded, require_safe, requirement, shell_lines
from mmlock.wheels.grouping import PART, including
from mmlock.wheels.install import MARK
from mmlock.wheels.variables import source_epoch

_HEAD = r"""set -eu
HERE=${LOCK:-$(cd "$(dirname "$0")" && pwd)}
PREFIX=${PREFIX:-$PWD/.venv}
WORK=${WORK:-$PWD/.mmlock-build}
JOBS=${JOBS:-}
LINKS=${LINKS:-}
PROJECT=${PROJECT:-$PWD}
BESIDE="file://$(printf '%s' "$HERE" | sed 's/ /%20/g')"

say() { printf 'mmlock: %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
need() { command -v "$1" >/dev/null 2>&1 || die "\`$1\` is needed and was not found"; }
digest() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}
need uv
"""

_TREE = r"""import hashlib, sys
from pathlib import Path, PurePosixPath

top, wanted, target = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
left, made = LEFT, MADE
files = {}
for path in sorted(top.rglob("*")):
    name = path.relative_to(top).as_posix()
    if path.is_file() and not any(p in left or p.endswith(made) for p in PurePosixPath(name).parts):
        files[name] = path.read_bytes()
rows = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in files.items())
found = hashlib.sha256("".join(f"{sha}  {name}\n" for name, sha in rows).encode()).hexdigest()
if found != wanted:
    sys.exit(f"error: `{top}` has digest {found}, the lock wants {wanted}: is PROJECT right?")
for name, data in files.items():
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    (target / name).write_bytes(data)
"""

_FETCH = r"""fetch() { # URL SHA256 FILE; the hash `unverified` stands for: nobody knows it
  if [ -f "$3" ] && [ "$(digest "$3")" = "$2" ]; then return; fi
  if [ -f "$LINKS/$3" ]; then cp "$LINKS/$3" "$3.part"; else
  say "fetching $1"
  need curl
  curl --fail --location --silent --show-error --retry 3 --output "$3.part" "$1"; fi
  found=$(digest "$3.part")
  if [ "$2" = unverified ]; then say "its sha256 is $found, and nobody knows whether that is right"
  elif [ "$found" != "$2" ]; then rm -f "$3.part"; die "$3: sha256 is $found, expected is $2"; fi
  mv "$3.part" "$3"
}
"""

_JOBS = r"""jobs_for() { # MB of one job
  cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
  free=$(awk '/^MemAvailable:/ {print int($2 / 1024)}' /proc/meminfo 2>/dev/null || echo 0)
  fit=$((free > 0 ? free / $1 : cores)); [ "$fit" -ge 1 ] || fit=1
  [ "$fit" -lt "$cores" ] && echo "$fit" || echo "$cores"
}
"""

_PATCH = r"""import sys
from pathlib import Path

name, find, replace = sys.argv[1:4]
path = Path(name)
text = path.read_bytes().decode("utf-8", "surrogateescape")
if find not in text:
    sys.exit(f"error: the patch does not apply: its context is not in `{name}`")
path.write_bytes(text.replace(find, replace).encode("utf-8", "surrogateescape"))
"""

_CHECK = r"""import fnmatch, sys, zipfile
from pathlib import Path

wheel, checks = Path(sys.argv[1]), sys.argv[2:]
names = zipfile.ZipFile(wheel).namelist()
for check in checks:
    kind, _, value = check.partition(":")
    if kind == "file" and not fnmatch.filter(names, value):
        sys.exit(f"error: {wheel.name} holds no `{value}`: it was built without its compiled part")
    if kind == "tag" and value.rstrip("t") not in wheel.name.split("-")[-3].split("."):
        sys.exit(f"error: {wheel.name} is not for {value}")
"""

_IMPORTS = r"""import importlib, sys
failed = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        print(f"mmlock: import {name}: ok")
    except BaseException as error:
        failed.append(name)
        print(f"mmlock: import {name}: {type(error).__name__}: {error}")
sys.exit(f"error: cannot import {', '.join(failed)}" if failed else 0)
"""


def render(export: Export) -> str:
    """The script as text. Raises UsageError for a lock whose fields cannot be words of one."""
    require_safe(export)
    return "\n".join(_script(export)) + "\n"


def _script(export: Export) -> Iterator[str]:
    env = export.env
    yield "#!/bin/sh"
    yield f"# Written by mmlock for {describe_target(env)}."
    yield "# Does what `mmlock build` and `mmlock install` do."
    yield "# PREFIX names the environment, WORK the build folder, JOBS how many files compile at once,"
    yield "# LOCK the lock folder, if this file is not in it, LINKS a folder with files that need"
    yield "# not be fetched, PROJECT the folder with the extensions of your own tree."
    yield f"# Needs uv{', curl, tar and a C++ compiler' if export.builds or env.fetch else ''}."
    if env.conda:
        yield "# Needs micromamba, mamba or conda for the conda packages; CONDA names which."
    yield _HEAD
    if env.conda:
        yield FUNCTIONS
        yield from explicit(env)
    if export.builds or env.fetch:
        yield _FETCH
        yield 'mkdir -p "$WORK" && cd "$WORK"'
    if export.builds:
        yield _JOBS
    for step in env.fetch:
        yield from _fetch(step)
    for number, build in enumerate(export.builds, start=1):
        yield from _build(build, number)
    yield from _install(export)


def _fetch(step: FetchStep) -> Iterator[str]:
    yield f"# ---- {plain(f'{step.package} {step.version}: {step.why}')}"
    yield f"fetch {quote(step.url)} unverified {quote(url_file_name(step.url))}"
    yield ""


# ---------------------------------------------------------------- a build


def _build(build: PlannedBuild, number: int) -> Iterator[str]:
    step = build.plan.step
    yield f"# ---- {plain(f'{step.package} {step.version}: {step.why}')}"
    yield f"say {quote(f'building {step.package} {step.version}')}"
    yield f'BUILD="$WORK/build-{number}" && mkdir -p "$BUILD" && cd "$BUILD"'
    if build.plan.conda:
        yield '[ -f venv.ok ] || { rm -rf venv && conda_prefix "$BUILD/venv"; }'
    else:
        yield f"[ -f venv.ok ] || uv venv --quiet --clear --python {quote(build.plan.python)} venv"
    into = "uv pip install --quiet --python venv/bin/python --no-deps --require-hashes -r -"
    hashed = [pin for pin in build.pins if pin.file.sha256]
    yield from shell_lines(
        (requirement(pin.name, pin.file.url, pin.file.sha256) for pin in hashed),
        f"if [ -f venv.ok ]; then cat >/dev/null; else {into}; fi",
    )
    # What a fetch step downloaded: its hash was printed above, and nobody knows the right one.
    for pin in build.pins:
        if not pin.file.sha256:
            yield (
                "[ -f venv.ok ] || uv pip install --quiet --python venv/bin/python --no-deps"
                f' "$WORK"/{quote(pin.file.name)}'
            )
    yield "touch venv.ok"
    yield from _sources(build)
    yield from _environment(build)
    yield "rm -rf out"
    yield (
        "venv/bin/python -m pip wheel -v --no-build-isolation --no-deps --no-index --no-cache-dir"
        ' --wheel-dir out "$BUILD"/sources/*/'
    )
    checks = " ".join(quote(text) for text in step.check)
    yield f"venv/bin/python - out/*.whl {checks} <<'CHECK'"
    yield f"{_CHECK}CHECK"
    yield ")"
    yield ""


def _sources(build: PlannedBuild) -> Iterator[str]:
    step, source = build.plan.step, build.plan.step.source
    archive = quote(source.name)
    if isinstance(source, Artifact):
        yield f"fetch {quote(source.url)} {source.sha256} {archive}"
    yield "if [ ! -f sources.ok ]; then"
    yield "rm -rf sources && mkdir sources"
    if not isinstance(source, Artifact):
        _require_folder(source)
        yield f"venv/bin/python - \"$PROJECT\"/{archive} {source.sha256} sources/tree <<'TREE'"
        yield _TREE.replace("LEFT", repr(LEFT_BY_BUILDS)).replace("MADE", repr(MADE)) + "TREE"
    elif source.name.endswith(".zip"):
        yield f"venv/bin/python -m zipfile -e {archive} sources"
    else:
        yield f"tar -xf ./{archive} -C sources"
    yield "cd sources/*/"
    for patch in step.patches:
        yield f"# {plain(f'{patch.id}: {patch.reason}')}"
        words = " ".join(quote(text) for text in (patch.file, patch.find, patch.replace))
        yield f"\"$BUILD/venv/bin/python\" - {words} <<'PATCH'"
        yield f"{_PATCH}PATCH"
    for group in step.groups:
        for part in group.parts:
            yield f"mv -- {quote(part)} {quote(part + PART)}"
        yield f"printf '%s' {quote(including(group))} > {quote(group.file)}"
    yield 'cd "$BUILD" && touch sources.ok'
    yield "fi"


def _require_folder(tree: SourceTree) -> None:
    """Raise UsageError for the project itself: of it, mmlock alone knows which files are sources."""
    if tree.path == ROOT:
        raise UsageError(
            "a script cannot build the project itself",
            causes=["the lock builds it from the project's top folder, of which only some files are sources"],
            hints=["run `mmlock build`, then export the sealed lock"],
        )


def _environment(build: PlannedBuild) -> Iterator[str]:
    """A subshell, so that nothing of one build reaches the next."""
    plan, step = build.plan, build.plan.step
    yield "("
    if step.toolchain.cuda_home:
        site = "$BUILD/venv/lib/python" + plan.python + "/site-packages"
        home = expanded(step.toolchain.cuda_home, {"site_packages": site})
        told = step.toolchain.provider is not ToolchainProvider.PIP
        yield f'if [ -z "${{CUDA_HOME:-}}" ]; then CUDA_HOME={home}; fi' if told else f"CUDA_HOME={home}"
        yield "export CUDA_HOME"
    # Commands by their very meaning: they come from `matrices/curated`, and whoever runs a lock runs them.
    yield from step.toolchain.setup
    yield 'export PATH="$BUILD/venv/bin:$PATH" PYTHONNOUSERSITE=1 PYTHONHASHSEED=0'
    yield f"export SOURCE_DATE_EPOCH={source_epoch(plan)}"
    yield f'export MAX_JOBS="${{JOBS:-$(jobs_for {max(1, step.memory_mb)})}}"'
    for name, value in sorted(step.env.items()):
        yield f"export {name}={expanded(value, {'jobs': '$MAX_JOBS'})}"


# ---------------------------------------------------------------- the environment


def _install(export: Export) -> Iterator[str]:
    env = export.env
    python = '"$PREFIX/bin/python"'
    yield "# ---- the environment"
    yield 'say "installing into $PREFIX"'
    making = MAKE if env.conda else f'uv venv --quiet --python {quote(env.python)} "$PREFIX"'
    yield f"if [ -e {python} ]; then"
    yield f'  [ -f "$PREFIX/{MARK}" ] || die "$PREFIX is somebody else\'s: name another folder with PREFIX"'
    yield "else"
    yield f'  {making} || die "the environment cannot be made"'
    yield f'  : > "$PREFIX/{MARK}"'
    yield "fi"
    # To a sync, what conda installed is there too many.
    verb, reading = ("install --no-deps", "-r -") if env.conda else ("sync", "-")
    into = f"uv pip {verb} --quiet --python {python} --require-hashes {reading}"
    wanted = [requirement(line.name, line.url, line.sha256) for line in lines(env)]
    if wanted or not env.conda:
        yield from shell_lines(wanted, into)
    made = [f'"$WORK"/{quote(url_file_name(step.url))}' for step in env.fetch]
    made += [f'"$WORK/build-{number}"/out/*.whl' for number, _ in enumerate(export.builds, start=1)]
    if made:
        yield f"uv pip install --quiet --python {python} --no-deps {' '.join(made)}"
    yield from (f"export {name}={quote(value)}" for name, value in sorted(env.environment.items()))
    yield f"{python} - {' '.join(quote(name) for name in export.imports)} <<'IMPORTS'"
    yield f"{_IMPORTS}IMPORTS"
    for name, value in sorted(env.environment.items()):
        yield f"say {quote(f'environment variable to set: {name}={value}')}"
