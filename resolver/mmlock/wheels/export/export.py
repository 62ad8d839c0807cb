"""`mmlock export`: a lock written for places where mmlock is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from mmlock.core.build_arguments import ExportArguments, ExportForm
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.facts.matrix.load import open_matrix
from mmlock.files.atomic import write_aside
from mmlock.lock.folders import lock_folder
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.wheels.find_uv import find_uv

Render = Callable[[LockedEnv, Path, ExportArguments, Progress], str]


def export(arguments: ExportArguments, *, progress: Progress = silent) -> Page:
    """Write a lock in another form, to a file where one is named."""
    folder = lock_folder(arguments.lock)
    env = read_lock(folder)
    if (arguments.others or arguments.schema is not None) and _FORMS[arguments.form] is not _together:
        raise UsageError(
            f"`mmlock export {arguments.form}` takes one lock and has one version",
            hints=["`pixi`, `pixi-lock` and `conda-lock` hold several locks in one file"],
        )
    text = _FORMS[arguments.form](env, folder, arguments, progress)
    if arguments.out is None:
        return Page(text=text, data={"format": arguments.form.value, "text": text})
    _write(arguments.out, text, executable=arguments.form is ExportForm.SCRIPT)
    said = f"wrote {arguments.out}\n"
    if any("://" not in package.files[0].url for package in env.packages):
        said += f"it needs the folder `wheels` of {folder}: keep it there, or copy both\n"
    return Page(text=said, data={"format": arguments.form.value, "file": str(arguments.out)})


def _whole(module: str) -> Render:
    """A form that builds what is missing and checks the imports."""

    def render(env: LockedEnv, folder: Path, arguments: ExportArguments, progress: Progress) -> str:
        del folder
        from mmlock.wheels.export.known import imports_of, shadows_of
        from mmlock.wheels.export.model import Export
        from mmlock.wheels.export.planned import planned_builds

        matrix = open_matrix(arguments.matrices)
        # A notebook takes sealed locks only, so there is nothing to build.
        builds = (
            ()
            if arguments.form is ExportForm.NOTEBOOK
            else planned_builds(
                env, lambda: find_uv(offline=arguments.offline, progress=progress), arguments.find_links
            )
        )
        whole = Export(
            env=env, builds=builds, imports=imports_of(matrix, env), shadows=shadows_of(matrix, env)
        )
        form = import_module(module)
        text: str = form.render(whole)
        as_notebook = arguments.out is not None and arguments.out.suffix == ".ipynb"
        return form.as_ipynb(text) if as_notebook and hasattr(form, "as_ipynb") else text

    return render


def _project(module: str) -> Render:
    """The tables of a pyproject.toml: they need the lock alone."""

    def render(env: LockedEnv, folder: Path, arguments: ExportArguments, progress: Progress) -> str:
        del arguments, progress
        text: str = import_module(module).render(env, folder)
        return text

    return render


def _together(env: LockedEnv, folder: Path, arguments: ExportArguments, progress: Progress) -> str:
    """A file that holds one lock with conda packages, or several."""
    del progress
    from mmlock.wheels.export.together import render_together

    locks = {folder.resolve(): env}
    locks |= {one.resolve(): read_lock(one) for one in map(lock_folder, arguments.others)}
    beside = (arguments.out.parent if arguments.out else Path()).resolve()
    return render_together(arguments.form, locks, beside, schema=arguments.schema)


_FORMS: Mapping[ExportForm, Render] = {
    ExportForm.SCRIPT: _whole("mmlock.wheels.export.script"),
    ExportForm.DOCKERFILE: _whole("mmlock.wheels.export.dockerfile"),
    ExportForm.NOTEBOOK: _whole("mmlock.wheels.export.notebook"),
    ExportForm.UV: _project("mmlock.wheels.export.uv_project"),
    ExportForm.POETRY: _project("mmlock.wheels.export.poetry_project"),
    ExportForm.PDM: _project("mmlock.wheels.export.pdm_project"),
    ExportForm.PIXI: _together,
    ExportForm.PIXI_LOCK: _together,
    ExportForm.CONDA_LOCK: _together,
}


def _write(path: Path, text: str, *, executable: bool) -> None:
    try:
        write_aside(path, text.encode(), mode=0o755 if executable else None, durable=True)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write `{path}`",
            causes=[error.strerror or str(error)],
            hints=["name a file in a folder that you can write to"],
        ) from error
