"""A real PostgreSQL of a test's own, run by a user without privileges."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def binaries() -> Path | None:
    """Where Debian's `postgresql` has its programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


class Postgres:
    """The server; it listens on a socket file only."""

    def __init__(self, folder: Path, user: str | None) -> None:
        place = binaries()
        assert place is not None
        self.folder, self.user, self.bin = folder, user, place
        self.url = f"postgresql://tester@/postgres?host={folder}"

    def run(self, *words: str) -> None:
        subprocess.run(
            [str(self.bin / words[0]), *words[1:]], user=self.user, cwd=self.folder, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        self.run(
            "pg_ctl",
            "-D",
            str(self.folder / "data"),
            "-w",
            "-l",
            str(self.folder / "log"),
            "-o",
            options,
            "start",
        )

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    pytest.importorskip("procrastinate")
    pytest.importorskip("psycopg")
    # A socket's path must be short, so not in pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="mmlock-pg-", dir="/tmp"))
    user = "nobody" if hasattr(os, "geteuid") and os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    server = Postgres(folder, user)
    try:
        server.run("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "tester", "--no-sync")
        server.start()
        yield server
    finally:
        subprocess.run(
            [str(server.bin / "pg_ctl"), "-D", str(folder / "data"), "-m", "immediate", "stop"],
            user=user, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
