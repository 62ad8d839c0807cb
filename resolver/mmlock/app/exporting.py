"""`mmlock export`: a lock written for places where mmlock is not."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from mmlock.app.building import find_uv
from mmlock.core.build_arguments import ExportArguments, ExportForm
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Form
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.files.atomic import write_aside
from mmlock.lock.folders import lock_folder
from mmlock.lock.model import BuildStep, LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.view import in_order
from mmlock.wheels.export.model import Export, PlannedBuild, import_names, lines

_PROJECTS = {
    ExportForm.UV: "mmlock.wheels.export.uv_project",
    ExportForm.POETRY: "mmlock.wheels.export.poetry_project",
    ExportForm.PDM: "mmlock.wheels.export.pdm_project",
}
"""Kinds that need the lock alone."""


def export(arguments: ExportArguments, *, progress: Progress = silent) -> Page:
    """Write a lock in another form, to a file where one is named."""
    folder = lock_folder(arguments.lock)
    env = read_lock(folder)
    project = _PROJECTS.get(arguments.form)
    if project is not None:
        text: str = import_module(project).render(env, folder)
    else:
        matrix = open_matrix(arguments.matrices)
        whole = Export(
            env=env,
            builds=_planned(env, arguments, progress),
            imports=import_names(env, _modules(matrix), _extensions(matrix, env)),
            shadows=_shadows(matrix, env),
        )
        text = _render(whole, arguments)
    if arguments.out is None:
        return Page(text=text, data={"format": arguments.form.value, "text": text})
    _write(arguments.out, text, executable=arguments.form is ExportForm.SCRIPT)
    said = f"wrote {arguments.out}\n"
    if any(line.beside for line in lines(env)):
        said += f"it needs the folder `wheels` of {folder}: keep it there, or copy the two together\n"
    return Page(text=said, data={"format": arguments.form.value, "file": str(arguments.out)})


def _render(whole: Export, arguments: ExportArguments) -> str:
    from mmlock.wheels.export import dockerfile, notebook, script

    if arguments.form is ExportForm.SCRIPT:
        return script.render(whole)
    if arguments.form is ExportForm.DOCKERFILE:
        return dockerfile.render(whole)
    cell = notebook.render(whole)
    as_notebook = arguments.out is not None and arguments.out.suffix == ".ipynb"
    return notebook.as_ipynb(cell) if as_notebook else cell


def _planned(env: LockedEnv, arguments: ExportArguments, progress: Progress) -> tuple[PlannedBuild, ...]:
    """The builds with their environments pinned to the last file, which may need the index."""
    if not env.build or arguments.form is ExportForm.NOTEBOOK:
        return ()
    from mmlock.wheels.buildenv import pin_loose
    from mmlock.wheels.planning import plan_build, with_fetched

    uv = find_uv(offline=arguments.offline, progress=progress)
    planned = []
    known = with_fetched(env)
    for step in in_order(env.build):
        assert isinstance(step, BuildStep)
        if step.form is not Form.BUILD:
            raise UsageError(
                f"{step.package} {step.version} is made by mmlock itself, a script cannot do that",
                causes=["its ops are plain PyTorch, out of mmlock's own library"],
                hints=["run `mmlock build` first, then export the sealed lock"],
            )
        plan = plan_build(known, step)
        pins = sorted((*plan.pins, *pin_loose(plan, uv, arguments.find_links)), key=lambda pin: pin.name)
        planned.append(PlannedBuild(plan=plan, pins=pins))
    return tuple(planned)


# ---------------------------------------------------------------- what the matrix knows


def _modules(matrix: Matrix) -> dict[str, str]:
    """The import name of each distribution that has exactly one."""
    found: dict[str, list[str]] = {}
    for row in matrix.modules:
        for package in (*row.packages, *row.on_request):
            found.setdefault(package, []).append(row.module)
    return {package: names[0] for package, names in found.items() if len(names) == 1}


def _extensions(matrix: Matrix, env: LockedEnv) -> dict[str, str]:
    """The compiled module of a package, from the file that its recipes check for: `mmcv/_ext*.so`."""
    names = {package.name for package in env.packages} | {step.package for step in env.build}
    found = {}
    for recipe in matrix.recipes:
        for check in recipe.check:
            match = re.fullmatch(r"file:([\w/]+)\*\.so", check)
            if match and recipe.package in names:
                found[str(recipe.package)] = match[1].replace("/", ".")
    return found


def _shadows(matrix: Matrix, env: LockedEnv) -> tuple[str, ...]:
    """Distributions outside the lock that write the same files as one inside."""
    held = {package.name for package in env.packages} | {step.package for step in env.build}
    found: set[str] = set()
    for row in matrix.modules:
        providers = {*row.packages, *row.on_request}
        if providers & held:
            found |= providers - held
    return tuple(sorted(found))


def _write(path: Path, text: str, *, executable: bool) -> None:
    try:
        write_aside(path, text.encode(), mode=0o755 if executable else None)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write `{path}`",
            causes=[error.strerror or str(error)],
            hints=["name a file in a folder that you can write to"],
        ) from error
