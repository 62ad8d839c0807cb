"""Real `.conda` packages in a channel on this disk, among them the Python that runs the tests."""

from __future__ import annotations

import hashlib
import shutil
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rattler_build import assemble_package

from mmlock.core.names import Sha256
from mmlock.lock.model import CondaPackage

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_UNNEEDED = ("test", "tests", "idlelib", "tkinter", "turtledemo", "__pycache__", "site-packages", "*.a")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """A folder over loopback; gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def channel_package(
    channel: Path,
    platform: str,
    name: str,
    files: dict[str, str] | Path,
    *depends: str,
    version: str = "1.0",
    build: str = "h0000000_0",
    executable: str | None = None,
) -> CondaPackage:
    """A package of these files, or of those in a folder."""
    if isinstance(files, Path):
        staged = files
    else:
        staged = channel / "staged" / name
        for path, text in files.items():
            (staged / path).parent.mkdir(parents=True, exist_ok=True)
            (staged / path).write_text(text)
        if executable is not None:
            (staged / executable).chmod(0o755)
    output = assemble_package(
        name=name,
        version=version,
        target_platform=platform,
        build_string=build,
        output_dir=channel / platform,
        files_dir=staged,
        depends=list(depends),
        compression_level=1,
    )
    path = Path(output.path)
    data = path.read_bytes()
    return CondaPackage(
        name=name,
        version=version,
        build=build,
        build_number=0,
        channel=channel.as_uri(),
        subdir=platform,
        file=path.name,
        sha256=Sha256(hashlib.sha256(data).hexdigest()),
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        size=len(data),
        depends=tuple(depends),
    )


def this_python(channel: Path, platform: str) -> CondaPackage:
    """The interpreter of the tests, with its library and headers, as a package."""
    staged = channel / "staged" / "python"
    for kind in ("stdlib", "include"):
        folder = Path(sysconfig.get_path(kind))
        place = staged / folder.relative_to(sys.base_prefix)
        shutil.copytree(folder, place, ignore=shutil.ignore_patterns(*_UNNEEDED), dirs_exist_ok=True)
    (staged / "lib" / f"python{PYTHON}" / "site-packages").mkdir(parents=True, exist_ok=True)
    (staged / "lib" / f"python{PYTHON}" / "site-packages" / "README.txt").write_text("packages\n")
    (staged / "bin").mkdir()
    real = Path(sys.base_prefix) / "bin" / f"python{PYTHON}"
    for name in ("python", "python3", f"python{PYTHON}"):
        shutil.copy2(real, staged / "bin" / name, follow_symlinks=True)
    for library in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        shutil.copy2(library, staged / "lib" / library.name)
    version = ".".join(str(part) for part in sys.version_info[:3])
    return channel_package(channel, platform, "python", staged, version=version)
