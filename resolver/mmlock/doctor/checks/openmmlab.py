"""What OpenMMLab packages need and do not declare: ops, versions, modules; and what is known to break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.requirements import Requirement

from mmlock.core.device import format_cc
from mmlock.core.names import DeviceKind, normalize
from mmlock.core.versions import InvalidVersion, allows, assert_holds
from mmlock.doctor.environment.model import Distribution, Environment, Trouble, TroubleKind, TroubleSeverity
from mmlock.facts.matrix.eras import builds_on_mmcv_2
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Assert, Breakage, Module, Reach, Release, When

_SHOWN = 3


def release_of(matrix: Matrix, dist: Distribution) -> Release | None:
    """What was read of the very release; the local part of the version tells the build, not the sources."""
    base = dist.version.partition("+")[0]
    return next((row for row in matrix.releases(dist.name) if row.version == base), None)


# ---------------------------------------------------------------- ops


def ops(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Packages that can hold compiled ops and hold none."""
    for module in matrix.modules:
        for name in module.packages if module.core and module.module == "mmcv" else ():
            dist = env.first(name)
            if dist is not None and not any("/_ext" in path for path in dist.compiled):
                yield _opless(env, matrix, module, dist)


def _opless(env: Environment, matrix: Matrix, module: Module, dist: Distribution) -> Trouble:
    reaching = [(other, row) for other, row in _reaching(env, matrix) if row.entries]
    evidence = [f"`{dist.record}` lists no `{module.module}/_ext*.so`"]
    if any("none-any" in tag for tag in dist.tags) and dist.name in module.with_ops:
        evidence.append(f"its wheel has the tag {dist.tags[-1]}: it was built without torch")
    for other, row in reaching[:_SHOWN]:
        entry, where = next(iter(row.entries.items()))
        evidence.append(f"{other.name} {other.version}: `import {entry}` imports `mmcv.ops` ({where})")
    lite = dist.name not in module.with_ops
    title = f"{dist.name} {dist.version} has no compiled ops"
    return Trouble(
        check=TroubleKind.OPS,
        severity=TroubleSeverity.FAILS if reaching or not lite else TroubleSeverity.NOTE,
        title=title if not lite else f"{title}, by design",
        evidence=tuple(evidence),
        advice=("`import mmcv.ops` fails: No module named 'mmcv._ext'. Install an mmcv with ops instead.",)
        if reaching or not lite
        else ("Fine as long as nothing imports `mmcv.ops`: check with `mmlock scan PROJECT`.",),
        packages=(dist.name,),
        remove=(dist.name,) if reaching or not lite else (),
    )


def _reaching(env: Environment, matrix: Matrix) -> Iterator[tuple[Distribution, Reach]]:
    """Installed frameworks, and what their sources reach of `mmcv.ops`."""
    for dist in env.installed.values():
        base = dist.version.partition("+")[0]
        row = next((row for row in matrix.reach(dist.name) if row.version == base), None)
        if row is not None:
            yield dist, row


# ---------------------------------------------------------------- checks at import


def asserts(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Versions that a package will refuse when it is imported."""
    modules = {module.module: module for module in matrix.modules}
    for dist in env.installed.values():
        row = release_of(matrix, dist)
        if row is None:
            continue
        by_module: dict[str, list[Assert]] = {}
        for check in row.asserts:
            by_module.setdefault(check.module, []).append(check)
        for name, checks in by_module.items():
            if name in modules:
                yield from _refusals(env, matrix, dist, row, modules[name], checks)


def _refusals(
    env: Environment,
    matrix: Matrix,
    dist: Distribution,
    row: Release,
    module: Module,
    checks: Sequence[Assert],
) -> Iterator[Trouble]:
    wanted = ", ".join(f"{check.op}{check.version}" for check in checks)
    source = tuple(matrix.sources("releases", dist.name).get(key, key) for key in row.source)
    there = [other for name in module.packages if (other := env.first(name))]
    if not there:
        yield Trouble(
            check=TroubleKind.ASSERTS,
            severity=TroubleSeverity.FAILS,
            title=f"{dist.name} {dist.version} needs {module.module}, which is not installed",
            evidence=(f"it requires {module.module} {wanted} at import",),
            advice=(f"Install {_wanted(matrix, dist, module)} in a version that it accepts.",),
            packages=(_wanted(matrix, dist, module),),
            source=source,
        )
    for other in there:
        try:
            holds = all(assert_holds(check.op, check.version, other.version) for check in checks)
        except InvalidVersion:
            continue
        if not holds:
            yield Trouble(
                check=TroubleKind.ASSERTS,
                severity=TroubleSeverity.FAILS,
                title=f"{dist.name} {dist.version} refuses {other.name} {other.version} at import",
                evidence=(f"it requires {module.module} {wanted}",),
                advice=(f"Install a {module.module} that it accepts; `pip check` does not show this.",),
                packages=(other.name,),
                source=source,
            )


def _wanted(matrix: Matrix, dist: Distribution, module: Module) -> str:
    """The distribution of a module that a release is made for: mmcv has another name before its version 2."""
    if module.module == "mmcv" and builds_on_mmcv_2(matrix.mmcv_eras, dist.name, dist.version) is False:
        return "mmcv-full"
    return str(module.packages[0])


def undeclared(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Modules that a release imports, declares nowhere, and that nothing here brings."""
    modules = {module.module: module.packages for module in matrix.modules}
    tops = {top.partition(".")[0] for dist in env.distributions for top in dist.tops}
    for dist in env.installed.values():
        row = release_of(matrix, dist)
        for name in row.undeclared if row else ():
            known = modules.get(name, (normalize(name),))
            if name in tops or any(package in env.installed for package in known):
                continue
            yield Trouble(
                check=TroubleKind.UNDECLARED,
                severity=TroubleSeverity.FAILS,
                title=f"{dist.name} {dist.version} imports `{name}`, which no installed package provides",
                evidence=("it does not declare it, so pip does not install it",),
                advice=(f"Install {known[0]}.",),
                packages=(str(known[0]),),
            )


# ---------------------------------------------------------------- known breakages


def breakages(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Combinations that fail although every declared bound holds, and that nothing here cures."""
    for breakage in matrix.breaks:
        if all(_holds(env, when) for when in breakage.when):
            missing = list(_uncured(env, breakage))
            if missing or not breakage.cured:
                texts = matrix.sources("breaks")
                yield Trouble(
                    check=TroubleKind.BREAKAGES,
                    severity=_gravity(breakage),
                    title=breakage.title,
                    evidence=(f"symptom: {breakage.symptom}", *missing),
                    advice=(f"{breakage.fix[:1].upper()}{breakage.fix[1:]}.",),
                    packages=_concerned(breakage),
                    source=tuple(texts.get(key, key) for key in breakage.source),
                )


def _gravity(breakage: Breakage) -> TroubleSeverity:
    """What only one function meets, or what was concluded, is a risk."""
    if breakage.drop or breakage.environment:
        return TroubleSeverity.RISK
    return TroubleSeverity.FAILS if breakage.confidence in {"measured", "captured"} else TroubleSeverity.RISK


def _concerned(breakage: Breakage) -> tuple[str, ...]:
    """Packages that a cure changes: those it bounds, else those it speaks of."""
    bound = [normalize(Requirement(text).name) for text in (*breakage.constraints, *breakage.add)]
    named = [when.package for when in breakage.when if when.package not in {"gpu", "python"}]
    return tuple(str(name) for name in (bound or named))


def _holds(env: Environment, when: When) -> bool:
    if when.package == "python":
        python = env.interpreter.python
        return python is not None and allows(when.versions, python.removesuffix("t"))
    if when.package == "gpu":
        archs = [d.arch for d in env.devices if d.arch and d.kind is DeviceKind.CUDA]
        return any(allows(when.versions, format_cc(arch)) for arch in archs)
    dist = env.first(when.package)
    if dist is None or not _admits(when.versions, dist.version):
        return False
    if when.cuda:
        return when.package == "torch" and env.cuda is not None and allows(when.cuda, env.cuda)
    return True


def _admits(specifier: str, candidate: str) -> bool:
    try:
        return allows(specifier, candidate.partition("+")[0])
    except InvalidVersion:
        return False


def _uncured(env: Environment, breakage: Breakage) -> Iterator[str]:
    """What of the cure is not there."""
    for text in (*breakage.constraints, *breakage.add):
        wanted = Requirement(text)
        dist = env.first(normalize(wanted.name))
        if dist is None:
            if text in breakage.add:
                yield f"{text} is not installed"
        elif not _admits(str(wanted.specifier), dist.version):
            yield f"{dist.name} is {dist.version}, not {text}"
    for name in breakage.drop:
        if env.first(name):
            yield f"{name} is installed"
    for variable, value in breakage.environment.items():
        if env.environ.get(variable) != value:
            yield f"{variable}={value} is not set"
