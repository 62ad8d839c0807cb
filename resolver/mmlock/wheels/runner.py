"""Runs one build step: from the lock's words to a checked wheel in the wheelhouse."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from mmlock.core.build_arguments import BuildOptions
from mmlock.core.errors import EnvironmentFault
from mmlock.core.extension import SourceTree
from mmlock.core.names import Form
from mmlock.core.progress import Progress, silent
from mmlock.files.digest import sha256_of
from mmlock.files.locking import hold
from mmlock.files.private import open_cache
from mmlock.files.sandbox import Sandbox
from mmlock.lock.model import BuildStep, LockedEnv
from mmlock.net.download import Downloader
from mmlock.wheels import buildenv, machine, provenance, sources, speed, toolchain, torch_ops, variables
from mmlock.wheels.build_entry import entry_of, moment_text
from mmlock.wheels.checks import examine, load_check, refuse_failed
from mmlock.wheels.compiling import CompileProgress
from mmlock.wheels.grouping import group_sources
from mmlock.wheels.key import build_key, key_inputs
from mmlock.wheels.model import BuildPlan, BuiltWheel, Compiler, Pin, WheelTest
from mmlock.wheels.patches import apply_patches
from mmlock.wheels.planning import plan_build
from mmlock.wheels.process import Command, Ending, Ran, end_stragglers, no_network, run
from mmlock.wheels.prune import lock_of
from mmlock.wheels.symptoms import Explain, first_errors, no_more
from mmlock.wheels.wheel_file import Rewrite, WheelFacts, read_wheel, rewrite_wheel
from mmlock.wheels.wheelhouse import Wheelhouse

_TAIL = 400
_MARGIN = 2 * 10**9
_UNPACKED = 3
"""How many times its own size an installed wheel takes."""


class Builder(Struct, frozen=True, kw_only=True):
    """Runs build steps on this machine."""

    wheelhouse: Wheelhouse
    builds: Path
    """Where builds happen: one folder for each key, so that a build that was stopped can go on."""
    uv: buildenv.Uv
    downloader: Downloader
    projects: Sequence[Path] = ()
    """Folders in which an extension of the user's own tree may lie, best first."""
    options: BuildOptions = field(default_factory=BuildOptions)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    progress: Progress = silent
    explain: Explain = no_more
    """Who tells what the log of a failed build means."""
    sandbox: Sandbox | None = None
    """What keeps code that is not ours apart; None: only its network is taken from it."""
    every_line: Progress = silent
    """Hears every line that the compile prints."""

    def build(self, env: LockedEnv, step: BuildStep, local: Mapping[str, Path]) -> BuiltWheel:
        """The wheel of a step, from the wheelhouse or made now. `local` names files by their hash."""
        plan = plan_build(env, step)
        machine.require_platform(plan.platform)
        compiler = None
        if needs_compiler(step):
            compiler = toolchain.find_compiler(self.environ, gcc_max=step.toolchain.gcc_max, std=step.std)
        inputs = key_inputs(plan, compiler, toolchain.toolkit_identity(step.toolchain, self.environ))
        key = build_key(inputs)
        if not self.options.rebuild and (found := self.wheelhouse.get(key)) is not None:
            return found
        tree = isinstance(step.source, SourceTree)
        # Builds of a tree that differ in its files alone share a folder: only what was changed is compiled.
        folder = self.builds / (build_key({**inputs, "sources": "tree"}) if tree else key)[:20]
        with _only_one(folder, self.progress):
            if not self.options.rebuild and (found := self.wheelhouse.get(key)) is not None:
                return found
            end_stragglers(str(folder))
            job = _Job(self, plan, compiler, key, inputs, folder, local)
            with machine.full_disk_told():
                built = job.run()
        if not (self.options.keep or tree):
            shutil.rmtree(folder, ignore_errors=True)
        return built


def needs_compiler(step: BuildStep) -> bool:
    """Whether a step compiles: its recipe names a standard, or expects a compiled file."""
    return step.std is not None or any(text.endswith((".so", ".pyd")) for text in step.check)


@contextmanager
def _only_one(folder: Path, progress: Progress) -> Iterator[None]:
    """One build of a key at a time: the second one waits for the first."""

    def waiting(holder: str) -> None:
        who = f"process {holder}" if holder else "another process"
        progress(f"waiting for {who}, which is building this very wheel")

    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(hold(lock_of(folder), waiting=waiting))
        except OSError as error:
            raise EnvironmentFault(
                f"cannot build in `{folder}`",
                causes=[error.strerror or str(error)],
                hints=["set MMLOCK_CACHE_DIR to a folder that you may write to"],
            ) from error
        yield


class _Job:
    """One build in its folder."""

    def __init__(
        self,
        builder: Builder,
        plan: BuildPlan,
        compiler: Compiler | None,
        key: str,
        inputs: Mapping[str, Any],
        folder: Path,
        local: Mapping[str, Path],
    ) -> None:
        self.builder = builder
        self.options = builder.options
        self.plan = plan
        self.compiler = compiler
        self.key = key
        self.inputs = inputs
        self.folder = folder
        self.local = local
        self.name = f"{plan.step.package} {plan.step.version}"
        self.venv = folder / "venv"
        self.log = folder / "build.log"
        self.cost: Mapping[str, float] = {}
        """Of the compile, as far as this run did it: an earlier one may have made a part."""
        away = self.builder.sandbox is not None or bool(no_network())
        self.network = "allowed" if self.options.network else "off" if away else "not blocked"

    def run(self) -> BuiltWheel:
        """All of it, in order; what an earlier run finished is not done again."""
        started = datetime.now(timezone.utc)
        step = self.plan.step
        if step.form is Form.TORCH_OPS:
            return self._plain(started)
        jobs = machine.jobs(machine.resources(), step.memory_mb, self.options.jobs)
        sizes = sum(pin.file.size or 0 for pin in self.plan.pins)
        compiles = _MARGIN if sizes > _MARGIN / 20 else _MARGIN // 10
        machine.room_for(self.folder, compiles + (0 if buildenv.is_made(self.venv) else _UNPACKED * sizes))
        tree = self._sources()
        pins = self._environment()
        environ = self._variables(tree, jobs)
        raw = self._compile(tree, environ, jobs)
        facts = read_wheel(raw)
        examined = examine(facts, self.plan)
        refuse_failed(facts, examined.checks, self.log)
        loads = load_check(
            facts, self.plan, self.venv, environ, lambda place: self._shield(environ, reads=(place,))
        )
        checks = (*examined.checks, *loads)
        refuse_failed(facts, checks, self.log)
        return self._keep(facts, pins, checks, examined.glibc, started)

    def _plain(self, started: datetime) -> BuiltWheel:
        """The wheel of a torch-ops step: nothing is compiled, so no environment is made."""
        step = self.plan.step
        machine.room_for(self.folder, _MARGIN // 10)
        raw, found = torch_ops.make_wheel(
            self._sources(), self.folder / "out", requires=step.requires, ops=step.ops
        )
        self.log.write_text(torch_ops.told(found), encoding="utf-8")
        facts = read_wheel(raw)
        examined = examine(facts, self.plan)
        checks = (*examined.checks, torch_ops.coverage(found))
        refuse_failed(facts, checks, self.log)
        return self._keep(facts, (), checks, examined.glibc, started)

    # ---------------------------------------------------------------- before the compile

    def _sources(self) -> Path:
        """The sources, verified and patched. Those of an earlier run stay: ninja looks at their times."""
        home, stamp, step = self.folder / "sources", self.folder / "sources.ok", self.plan.step
        done, _, place = (
            stamp.read_text(encoding="utf-8").partition("\n") if stamp.is_file() else ("", "", "")
        )
        if done == step.source.sha256:
            return Path(place)
        stamp.unlink(missing_ok=True)
        aside = self.folder / "sources.new"
        shutil.rmtree(aside, ignore_errors=True)
        tree = sources.bring(step, aside, self.builder.downloader, self.builder.projects)
        for applied in apply_patches(tree, step.patches):
            self.builder.progress(
                f"patched {applied.patch.file} ({applied.patch.id}, {applied.places} places)"
            )
        group_sources(tree, step.groups)
        sources.renew(aside, home)
        place = str(home / tree.relative_to(aside))
        stamp.write_text(f"{step.source.sha256}\n{place}", encoding="utf-8")
        return Path(place)

    def _environment(self) -> tuple[Pin, ...]:
        """A fresh environment with exactly the pinned files."""
        uv = self.builder.uv
        conda = self.plan.conda
        interpreter = "" if conda else buildenv.find_python(uv, self.plan.python, self.options.python)
        loose = buildenv.pin_loose(self.plan, uv, tuple(self.builder.downloader.find_links))
        pins = tuple(sorted((*self.plan.pins, *loose), key=lambda pin: pin.name))
        local = dict(self.local)
        for pin in pins:
            for links in self.builder.downloader.find_links:
                if pin.file.sha256 and (links / pin.file.name).is_file():
                    local.setdefault(pin.file.sha256, links / pin.file.name)
        if conda:
            cache = open_cache(self.builder.environ) / "conda"
            buildenv.make_conda_environment(self.venv, self.plan, pins, uv, local, cache)
        else:
            buildenv.make_environment(self.venv, interpreter, pins, uv, local)
        return pins

    def _variables(self, tree: Path, jobs: int) -> dict[str, str]:
        home = self.folder / "home"
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        base = variables.base_environment(
            self.builder.environ, home=home, venv=self.venv, mark=str(self.folder)
        )
        plan = self.plan.step.toolchain
        site = buildenv.site_packages(self.venv)
        base = toolchain.toolkit_variables(plan, base, site_packages=site, folder=self.folder / "toolchain")
        environ = variables.build_environment(self.plan, base, compiler=self.compiler, jobs=jobs)
        if self.compiler is not None:
            tools = self.folder / "tools"
            environ |= speed.fast_compiler(
                self.compiler,
                tree,
                tools,
                self.venv / "bin" / "python",
                environ["PATH"],
                precompile=self.options.precompile,
            )
            environ |= speed.nvcc_variables(environ.get("CUDA_HOME"), environ["PATH"], self.folder)
        return environ

    # ---------------------------------------------------------------- the compile

    def _compile(self, tree: Path, environ: Mapping[str, str], jobs: int) -> Path:
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        self.builder.progress(f"building {self.name} with {jobs} jobs (network {self.network})")
        words = [
            str(self.venv / "bin" / "python"), "-m", "pip", "wheel", "-v", "--no-build-isolation",
            "--no-deps", "--no-index", "--no-cache-dir", "--wheel-dir", str(out), str(tree),
        ]  # fmt: skip
        command = Command(
            words=words,
            folder=self.folder,
            environ=environ,
            log=self.log,
            quiet_seconds=self.options.quiet_minutes * 60,
            shield=self._shield(environ, network=self.options.network),
        )
        follow = CompileProgress(progress=self.builder.progress)
        tail: list[str] = []

        def line(text: str) -> None:
            follow.line(text)
            self.builder.every_line(text)
            tail.append(text)
            if len(tail) > 2 * _TAIL:
                del tail[:_TAIL]

        ran = run(command, line)
        if ran.ending is not Ending.DONE:
            raise self._failure(ran, tail)
        self.cost = {"cpu_seconds": round(ran.cpu_seconds, 1), "peak_mb": ran.peak_mb}
        wheels = sorted(out.glob("*.whl"))
        if len(wheels) != 1:
            raise EnvironmentFault(
                f"the build of {self.name} gave {len(wheels)} wheels", hints=[self._where()]
            )
        return wheels[0]

    def _shield(
        self, environ: Mapping[str, str], *, reads: Sequence[Path] = (), network: bool = False
    ) -> tuple[str, ...]:
        """Words in front of a command that runs code of the sources."""
        if self.builder.sandbox is None:
            return () if network else no_network()
        needed = [*buildenv.homes_of(self.venv), *reads]
        needed += [Path(environ[name]) for name in ("CUDA_HOME", "CUDA_PATH") if environ.get(name)]
        if self.compiler is not None:
            needed.append(Path(self.compiler.cxx).resolve().parents[1])
        return self.builder.sandbox.words(writes=[self.folder], reads=needed, network=network)

    def _failure(self, ran: Ran, tail: Sequence[str]) -> EnvironmentFault:
        if ran.ending is Ending.HUNG:
            quiet = f"for {self.options.quiet_minutes:g} min it neither wrote nor worked"
            causes = [quiet, *[row.strip() for row in tail if row.strip()][-1:]]
            hints: list[str] = []
        else:
            explained = self.builder.explain(tail)
            causes = [*explained.causes, *first_errors(tail)]
            hints = list(explained.hints)
            if self.network == "off":
                hints.append("it had no network; if it wants one, `--network` allows that")
            if ran.code < 0:
                causes.insert(0, f"it was ended by signal {-ran.code}")
        return EnvironmentFault(
            f"{self.name} did not build",
            causes=causes,
            hints=[*hints, self._where(), "run the same command again to go on where it stopped"],
        )

    def _where(self) -> str:
        return f"the whole log is `{self.log}`"

    # ---------------------------------------------------------------- after the compile

    def _keep(
        self,
        facts: WheelFacts,
        pins: Sequence[Pin],
        checks: tuple[WheelTest, ...],
        glibc: str | None,
        started: datetime,
    ) -> BuiltWheel:
        made = provenance.Made(
            plan=self.plan,
            key=self.key,
            inputs=self.inputs,
            pins=pins,
            compiler=self.compiler,
            network=self.network,
        )
        wheel, version = self._signed(facts, made)
        ended = datetime.now(timezone.utc)
        statement = provenance.provenance(
            made,
            [{"name": wheel.name, "digest": {"sha256": sha256_of(wheel)}}],
            checks=checks,
            moments=(moment_text(started), moment_text(ended)),
        )
        entry = {
            **entry_of(made, version),
            "glibc": glibc,
            "requires": list(facts.requires),
            "created": moment_text(ended),
            "seconds": round((ended - started).total_seconds(), 1),
            "compile": self.cost,
        }
        built = self.builder.wheelhouse.put(
            self.key, wheel, entry, checks=checks, provenance=provenance.to_bytes(statement), log=self.log
        )
        return replace(built, hit=False)

    def _signed(self, facts: WheelFacts, made: provenance.Made) -> tuple[Path, str]:
        """The wheel with its local version and with the story of its making inside."""
        version = facts.version
        if not facts.pure or self.plan.step.form is Form.TORCH_OPS:
            version += ("." if "+" in version else "+") + self.plan.label
        inner = provenance.provenance(made, provenance.content_subjects(facts))
        bill = provenance.bill_of_materials(made, version)
        change = Rewrite(
            version=version,
            build=f"1k{self.key[:8]}",
            extra={
                "sboms/mmlock.cdx.json": provenance.to_bytes(bill),
                "sboms/mmlock.provenance.json": provenance.to_bytes(inner),
            },
            stamp=_zip_time(variables.source_epoch(self.plan)),
        )
        return rewrite_wheel(facts, self.folder / "final", change), version


def _zip_time(epoch: int) -> tuple[int, int, int, int, int, int]:
    when = datetime.fromtimestamp(epoch, tz=timezone.utc)
    return (when.year, when.month, when.day, when.hour, when.minute, when.second)
