"""Fuzz the parsers of pages and archives: whatever comes, they answer or name a fault.

    python -m pip install atheris
    python tests/fuzz/scrape_pages.py -max_total_time=60

Without atheris: `python tests/fuzz/scrape_pages.py FILE...` runs the same target on files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from mmlock.facts.scrape.archives import BadArchive, read_tree
from mmlock.facts.scrape.checks import asserts
from mmlock.facts.scrape.flash_attn import assets_of
from mmlock.facts.scrape.metadata import identity, metadata
from mmlock.facts.scrape.metadata_chain import release_metadata
from mmlock.facts.scrape.openmmlab import parse_old_page
from mmlock.facts.scrape.openmmlab import parse_page as parse_directory
from mmlock.facts.scrape.pypi_rows import details
from mmlock.facts.scrape.pytorch import BASE, wheels_of
from mmlock.facts.scrape.pytorch_files import recorded
from mmlock.facts.scrape.tags import release_of, wheel_name
from mmlock.facts.scrape.torch_packages import offers_of
from mmlock.net.simple import parse_page, parse_simple

URL = "https://x.example/mmcv/dist/cu121/torch2.2.0/index.html"


def _archive(data: bytes) -> None:
    for name in ("a-1.tar.gz", "a-1-py3-none-any.whl"):
        try:
            read_tree(name, data)
        except BadArchive:
            continue


def _checks(data: bytes) -> None:
    try:
        asserts(data.decode("utf-8", "replace"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return


def _pages(data: bytes) -> None:
    for kind in ("text/html", "application/vnd.pypi.simple.v1+json", "text/html; charset=\xff"):
        parse_page(data, kind, URL)
    found = parse_simple(data, "text/html", URL)
    if isinstance(found, tuple):
        wheels_of(found)
        offers_of(found)
        for file in recorded(found, ("torch", "torchvision"), BASE):
            assert file.url.startswith(f"{BASE}/")


def _release(data: bytes) -> None:
    """What the JSON API tells becomes no more fields than it has."""
    made = release_metadata(data)
    if made is not None:
        assert made.count(b"\nName: ") == 1
        metadata(made)


def _names(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    name = wheel_name(text)
    if name is not None:
        assert "/" not in text
        assert (name.pythons, name.platform) is not None
    release_of(text)


TARGETS: tuple[Callable[[bytes], object], ...] = (
    lambda data: parse_directory(data, URL),
    lambda data: parse_old_page(data, URL, "page"),
    _pages,
    assets_of,
    details,
    metadata,
    identity,
    _archive,
    _checks,
    _names,
    _release,
)


def fuzz_one(data: bytes) -> None:
    """Give the bytes to the parser that the first of them picks."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    paths = [Path(word) for word in sys.argv[1:] if Path(word).is_file()]
    if paths:
        for path in paths:
            for at in range(len(TARGETS)):
                fuzz_one(bytes([at]) + path.read_bytes())
        return
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, fuzz_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
