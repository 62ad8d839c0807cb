"""`mmlock feed`: the facts as a data source for Renovate, as files that any web server serves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmlock.core.errors import EnvironmentFault
from mmlock.core.report import Page
from mmlock.core.update_arguments import FeedArguments
from mmlock.facts.matrix.load import open_matrix
from mmlock.files.atomic import write_aside
from mmlock.files.names import UnsafeNameError, bare_file_name
from mmlock.upkeep.feed import documents

__all__ = ["feed", "feed_documents"]


def feed_documents(matrices: Path | None) -> Mapping[str, Mapping[str, Any]]:
    """What the feed holds, by the names of its files without `.json`; a web server may ask, too."""
    return documents(open_matrix(matrices))


def feed(arguments: FeedArguments) -> Page:
    """Write every document that differs. Raises MatrixError or EnvironmentFault."""
    written = 0
    found = feed_documents(arguments.matrices)
    for name, document in found.items():
        try:
            path = arguments.out / bare_file_name(f"{name}.json")
            data = (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
            if not path.is_file() or path.read_bytes() != data:
                write_aside(path, data, mode=None)
                written += 1
        except UnsafeNameError as error:
            raise EnvironmentFault("a fact has a name that no file may have", causes=[str(error)]) from error
        except OSError as error:
            raise EnvironmentFault(
                f"cannot write into `{arguments.out}`",
                causes=[error.strerror or str(error)],
                hints=["name a folder that you can write to"],
            ) from error
    text = f"{len(found)} documents in {arguments.out}, {written} of them written\n"
    return Page(text=text, data={"documents": sorted(found), "written": written})
