"""A wheelhouse as a folder of plain files, for any server that can serve files."""

from __future__ import annotations

from pathlib import Path

from mmlock.core.errors import EnvironmentFault
from mmlock.core.progress import Progress, silent
from mmlock.files.atomic import write_aside
from mmlock.wheels.index_file import index_files, metadata_of
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.simple_index import project_page, projects, root_page, wheel_place
from mmlock.wheels.wheelhouse import Wheelhouse, link_or_copy


def write_static(wheelhouse: Wheelhouse, target: Path, *, progress: Progress = silent) -> int:
    """Copy the wheels and write their pages; gives the number of wheels. What is there already stays."""
    wheels = [entry for entry in wheelhouse.entries() if isinstance(entry, BuiltWheel)]
    try:
        for wheel in wheels:
            place = target / "wheels" / wheel.key / wheel.path.name
            if not place.is_file() or place.stat().st_size != wheel.size:
                progress(f"copying {wheel.path.name}")
                link_or_copy(wheel.path, place)
            if (body := metadata_of(wheel.path, wheel.sha256)) is not None:
                _put(place.with_name(f"{place.name}.metadata"), body)
        files = tuple(index_files(wheels))
        grouped = projects(files)
        _put(target / "simple" / "index.html", root_page(grouped, as_json=False).body)
        for name, held in grouped.items():
            for as_json, file in ((False, "index.html"), (True, "index.json")):
                page = project_page(name, held, place=wheel_place("../../wheels"), as_json=as_json)
                _put(target / "simple" / name / file, page.body)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write to `{target}`",
            causes=[error.strerror or str(error)],
            hints=["name a folder that you may write to, on a disk with free space"],
        ) from error
    return len(wheels)


def _put(path: Path, body: bytes) -> None:
    write_aside(path, body, mode=None)
