"""Learning what a release requires or refuses: this reader against `pip download --no-deps`, in pairs.

    python benchmarks/refresh_vs_pip.py [--rounds 3]

Both begin with the page of the package and an empty cache. Of a wheel this reader takes METADATA, of an
sdist all of it, as a refresh does; pip downloads the file, and of an sdist runs its setup to learn the
metadata. Seconds and bytes, and the median of the ratios of pairs; the order within a pair alternates.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mmlock.core.names import PackageName, normalize
from mmlock.facts.refresh.drive import driver
from mmlock.facts.scrape.fetch_page import FetchPage, Get, WheelMember, WholeFile
from mmlock.facts.scrape.pypi import INDEX
from mmlock.facts.scrape.tags import release_of
from mmlock.net.fetching import Fetched
from mmlock.net.http import Client
from mmlock.net.lookup import page_url
from mmlock.net.ranged import METADATA
from mmlock.net.simple import ACCEPT, IndexPage, parse_page

SAMPLE = (
    ("mmdet==3.3.0", "wheel"),
    ("mmengine==0.10.7", "wheel"),
    ("torchvision==0.20.1", "wheel"),
    ("torchaudio==2.5.1", "wheel"),
    ("xformers==0.0.28.post3", "wheel"),
    ("mmcv==2.1.0", "sdist"),
    ("mmdet3d==1.4.0", "sdist"),
    ("mmpretrain==1.2.0", "sdist"),
)


def read(requirement: str, form: str) -> tuple[float, int]:
    """Seconds and bytes of this reader."""
    name, _, release = requirement.partition("==")
    started = time.perf_counter()
    client = Client()
    with driver(client) as drive:
        (page,) = drive.fetch("page", [Get(url=page_url(INDEX, normalize(name)), accept=ACCEPT)])
        assert isinstance(page, Fetched), page
        (answer,) = drive.fetch("release", [request(page, normalize(name), release, form)])
        assert isinstance(answer, Fetched), answer
    return time.perf_counter() - started, client.traffic.received


def request(page: Fetched, package: PackageName, release: str, form: str) -> FetchPage:
    listed = parse_page(page.body, page.content_type, page.url)
    assert isinstance(listed, IndexPage), f"{package}: {listed}"
    files = [file for file in listed.files if release_of(file.name) == release]
    if form == "sdist":
        (sdist,) = [file for file in files if not file.name.endswith(".whl")]
        assert sdist.sha256
        return WholeFile(url=sdist.url, sha256=sdist.sha256)
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    wheel = next(
        file for file in files if "-any" in file.name or (python in file.name and "linux" in file.name)
    )
    return WheelMember(url=wheel.url, member=METADATA)


def pip(requirement: str, form: str) -> tuple[float, int, str]:
    """Seconds, bytes and what went wrong of `pip download`."""
    kind = ["--only-binary", ":all:"] if form == "wheel" else ["--no-binary", ":all:"]
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--no-cache-dir",
            "-q",
            *kind,
            "-d",
            folder,
            requirement,
        ]
        started = time.perf_counter()
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    return seconds, size, "" if done.returncode == 0 else "  (pip failed)"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    everything: list[float] = []
    for requirement, form in SAMPLE:
        pairs = []
        for number in range(options.rounds):
            if number % 2:
                theirs, ours = pip(requirement, form), read(requirement, form)
            else:
                ours, theirs = read(requirement, form), pip(requirement, form)
            pairs.append((ours, theirs))
        ratios = [theirs[0] / ours[0] for ours, theirs in pairs]
        everything += ratios
        ours, theirs = pairs[-1]
        mine = f"{statistics.median(one[0][0] for one in pairs):6.2f} s {ours[1] / 1e6:7.2f} MB"
        other = f"{statistics.median(one[1][0] for one in pairs):6.2f} s {theirs[1] / 1e6:7.2f} MB"
        told = f"{requirement:<24} {form:<6} read {mine}   pip {other}"
        print(f"{told}   {statistics.median(ratios):5.1f} x{theirs[2]}", flush=True)
    print(f"median of {len(everything)} pairs: pip takes {statistics.median(everything):.1f} times as long")


if __name__ == "__main__":
    main()
