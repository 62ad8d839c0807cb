"""Pictures of the service's pages: `service_pictures.py URL FOLDER [NAME|NAME=PATH...]`.

Needs playwright and Chromium, and `mmlock serve` at the URL. `docs/pictures` has those in light.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PAGES = {
    "solve": "/solve?gpus=rtx5090",
    "matrix": "/matrix?gpu=a100",
    "lock": "/locks/openmmlab/rtx5090",
    "why": "/locks/openmmlab/rtx5090/why/mmcv",
    "locks": "/locks",
    "doctor": "/doctor",
    "gpus": "/gpus",
    "refused": "/why?gpu=rtx5090&q=2.4.1,2.1.0",
}
LOOKS = {
    "": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "-phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


def main(site: str, folder: Path, only: list[str]) -> None:
    """Look at every page in every way."""
    folder.mkdir(parents=True, exist_ok=True)
    others = dict(word.split("=", 1) for word in only if "=" in word)
    wanted = {name: path for name, path in PAGES.items() if name in only or not only} | others
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for suffix, look in LOOKS.items():
            page = browser.new_page(**look)  # type: ignore[arg-type]
            for name, path in wanted.items():
                page.goto(site + path, wait_until="load")
                page.screenshot(path=folder / f"{name}{suffix}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
