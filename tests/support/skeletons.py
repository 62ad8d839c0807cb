"""Skeletons of public repositories (`tests/projects`), laid out in a folder as the repository has them."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "projects"


def lay_out(name: str, root: Path) -> Path:
    """The project `name` below a folder."""
    document = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    top = root / name
    for path, text in {**dict.fromkeys(document["empty"], ""), **document["files"]}.items():
        file = top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return top
