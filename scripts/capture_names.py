"""Record which Python names packages give and need, for releases that were not read yet.

    python scripts/capture_names.py                       # all packages
    python scripts/capture_names.py mmdet mmpose          # those
    python scripts/capture_names.py --newest 5 mmdet      # the newest five releases of each
    python scripts/capture_names.py --again mmdet         # also those that were read before

OpenMMLab's 581 releases are 340 MB once, kept by hash below `--cache`; of large wheels only the Python files
are read.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from mmlock.core.versions import is_prerelease, version
from mmlock.facts.matrix import store
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.refresh.drive import driver
from mmlock.facts.refresh.names import plans, record_names
from mmlock.facts.refresh.settings import choose
from mmlock.facts.scrape.tags import release_of
from mmlock.net.fetching import Limits
from mmlock.net.http import Client
from mmlock.net.page_cache import PageCache

LIMITS = Limits(
    attempts=3, fresh_seconds=3600.0, total_seconds=600.0, host_seconds=600.0, max_bytes=64 * 1024 * 1024
)


_MOST = 4


def say(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Read, write, tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("packages", nargs="*")
    parser.add_argument("--cache", type=Path, default=Path(".cache") / "releases")
    parser.add_argument("--matrices", type=Path, default=Path("matrices"))
    parser.add_argument("--newest", type=int, metavar="N", help="only the newest N final releases")
    parser.add_argument("--again", action="store_true", help="forget what was read before")
    options = parser.parse_args()
    index = choose(None, os.environ).url
    failed = 0
    with driver(Client(cache=PageCache(options.cache), limits=LIMITS)) as drive:
        for plan in plans(Matrix(options.matrices)):
            if options.packages and plan.package not in options.packages:
                continue
            started, cpu = time.monotonic(), time.process_time()
            only = None
            if options.newest and plan.files:
                releases = {release for file in plan.files if (release := release_of(file.name))}
                finals = sorted((r for r in releases if not is_prerelease(r)), key=version)
                only = frozenset(finals[-options.newest :])
            if options.again:
                for kind in ("given", "needed"):
                    (options.matrices / "names" / kind / f"{plan.package}.names").unlink(missing_ok=True)
            # What was read is written before more is read: an interrupted run goes on where it stopped.
            most = None if plan.files else _MOST
            while True:
                read = record_names(Matrix(options.matrices), drive, plan, index, only=only, most=most)
                store.write_all(options.matrices, read.files)
                size = sum(len(data) for data in read.files.values())
                say(
                    f"{plan.package}: {read.read} read, {read.held} held, {size} bytes, "
                    f"{time.process_time() - cpu:.1f} CPU s, {time.monotonic() - started:.1f} s"
                )
                for text in read.unread:
                    say(f"  unread: {text}")
                failed += len(read.unread)
                if not read.read or most is None:
                    break
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
