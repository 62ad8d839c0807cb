"""A fetch step takes the wheel that was solved for, and nothing else that a server may send."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from build_world import PYTHON, TAG, make_env
from loopback_web import Web, web
from made_files import Made, container, cubin, elf, fatbin
from made_wheels import CODE, EXT, FILES, NAME, unsealed, whole_wheel
from msgspec.structs import replace

from mmlock.app.changing import build
from mmlock.core.build_arguments import BuildArguments
from mmlock.core.device import Device
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import DeviceKind, Platform
from mmlock.core.report import Page
from mmlock.facts.matrix.lint import lint
from mmlock.lock.model import HashTrust
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock
from mmlock.wheels.fetched import _folder
from mmlock.wheels.model import CheckStatus
from mmlock.wheels.recorded import NAME as RECORDS
from mmlock.wheels.sources import safe_name
from mmlock.wheels.wheel_file import read_wheel
from mmlock.wheels.wheel_zip import zip_faults

__all__ = ["web"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("MMLOCK_WHEELHOUSE", raising=False)
    return tmp_path


class Served:
    """A lock with one fetch step, and the server that it points to."""

    def __init__(self, home: Path, web: Web) -> None:
        self.home, self.web, self.lock = home, web, home / "project" / "lock"
        (home / "project").mkdir(exist_ok=True)
        (home / "project" / "mmlock.toml").write_text("")

    def build(self, data: bytes, *, name: str = NAME, record: Path | None = None, **changes: object) -> Page:
        url = self.web.put(f"/whl/{name}", data)
        write_lock(unsealed(url, **changes), self.lock)
        return build(BuildArguments(lock=self.lock, record=record))

    @property
    def kept(self) -> list[Path]:
        """Everything that is left in the cache of files, wheels and notes alike."""
        store = self.home / "cache" / "wheelhouse" / "files"
        return [path for path in store.rglob("*") if path.suffix in {".whl", ".json"}]

    @property
    def records(self) -> Path:
        return self.home / "project" / RECORDS


@pytest.fixture
def served(home: Path, web: Web) -> Served:
    return Served(home, web)


def refused(served: Served, data: bytes, **more: object) -> str:
    """What is said; and that nothing of it stays, and the lock is as it was."""
    with pytest.raises(EnvironmentFault) as caught:
        served.build(data, **more)  # type: ignore[arg-type]
    assert served.kept == []
    assert not served.records.exists()
    assert not read_lock(served.lock).sealed
    return "\n".join(caught.value.lines())


# ---------------------------------------------------------------- the right one, on first contact and later


@pytest.mark.slow
def test_a_first_download_is_unverified_on_the_terminal_and_in_the_lock(served: Served) -> None:
    data = whole_wheel(NAME, FILES)
    page = served.build(data)
    assert "UNVERIFIED: its index publishes no hash" in page.text
    assert page.data["steps"][0]["unverified"] is True  # type: ignore[index]
    (package,) = read_lock(served.lock).packages
    assert package.hashes is HashTrust.UNVERIFIED
    assert 'hash = "unverified"' in (served.lock / "pylock.toml").read_text()
    assert any(f.level == "warning" and "UNVERIFIED" in f.text for f in read_lock(served.lock).findings)


@pytest.mark.slow
def test_its_hash_is_recorded_as_a_fact_that_a_fresh_cache_insists_on(served: Served, home: Path) -> None:
    data = whole_wheel(NAME, FILES)
    served.build(data)
    (row,) = json.loads(served.records.read_text())["rows"]
    assert (row["name"], row["sha256"]) == (NAME, hashlib.sha256(data).hexdigest())
    assert row["url"].endswith(f"/whl/{NAME}")
    home.joinpath("cache").rename(home / "old-cache")
    page = served.build(data)
    assert "UNVERIFIED" not in page.text
    (package,) = read_lock(served.lock).packages
    assert package.hashes is HashTrust.STATED
    home.joinpath("cache").rename(home / "older-cache")
    before = served.records.read_bytes()
    with pytest.raises(EnvironmentFault, match="not the file that it should be"):
        served.build(whole_wheel(NAME, {**FILES, "mmcv/evil.py": b"x"}))
    assert served.kept == []
    assert served.records.read_bytes() == before


@pytest.mark.slow
def test_the_record_is_a_matrix_file_that_the_lint_accepts(served: Served, home: Path) -> None:
    root = home / "matrices"
    (root / "files").mkdir(parents=True)
    served.build(whole_wheel(NAME, FILES), record=root / "files" / "openmmlab-index.json")
    faults = [str(problem) for problem in lint(root) if "openmmlab-index" in str(problem)]
    # Of the loopback server alone: a fact names an https URL.
    assert all("https" in fault for fault in faults), faults


@pytest.mark.slow
def test_the_wheel_of_another_linux_tag_inside_is_the_same_wheel(served: Served) -> None:
    served.build(whole_wheel(NAME, FILES, tags=f"{TAG}-{TAG}-linux_x86_64"))
    assert read_lock(served.lock).sealed


@pytest.mark.slow
def test_libraries_beside_the_package_and_its_own_platlib_are_its_own(served: Served) -> None:
    data = {"mmcv.libs/libgomp.so": CODE, "mmcv-2.1.0.data/platlib/mmcv/more.py": b""}
    served.build(whole_wheel(NAME, {**FILES, **data}))
    assert not any("top-level" in finding.text for finding in read_lock(served.lock).findings)


@pytest.mark.slow
def test_a_name_that_nobody_is_known_to_own_is_told_as_not_checked(served: Served) -> None:
    served.build(whole_wheel(NAME, {**FILES, "somewhere/__init__.py": b""}))
    assert any("whether somewhere belong" in finding.text for finding in read_lock(served.lock).findings)


@pytest.mark.slow
def test_names_that_lead_elsewhere_reach_no_disk(served: Served, home: Path) -> None:
    served.build(whole_wheel(NAME, FILES))
    write_lock(unsealed(f"{served.web.root}/whl/{NAME}"), served.lock)
    steps = served.lock / "build.toml"
    before = {path for path in home.rglob("*") if path.is_file()}
    for coded in ("..%2F..%2Fevil.whl", "%2Ftmp%2Fmmlock-evil.whl", "..%5Cevil.whl", "evil%00.whl"):
        served.web.put(f"/whl/{coded}", whole_wheel(NAME, FILES))
        steps.write_text(steps.read_text().replace(NAME, coded))
        with pytest.raises(UsageError) as caught:
            build(BuildArguments(lock=served.lock))
        assert caught.value.causes[0].startswith("`step[0].url` ")
        steps.write_text(steps.read_text().replace(coded, NAME))
    assert {path for path in home.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/b", "a\\b", "", "\0"])
def test_a_name_is_looked_at_again_where_a_file_is_placed(name: str) -> None:
    with pytest.raises(UsageError, match="nothing is downloaded"):
        safe_name(name)


# ---------------------------------------------------------------- wrong ones


def twice(archive: zipfile.ZipFile) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("mmcv/__init__.py", "other")


def extra(archive: zipfile.ZipFile) -> None:
    archive.writestr("mmcv/unlisted.py", "x")


def a_link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("mmcv/link")
    info.external_attr = 0o120777 << 16
    archive.writestr(info, "/etc/passwd")


def without(row: str) -> Callable[[str], str]:
    return lambda text: "".join(line for line in text.splitlines(keepends=True) if not line.startswith(row))


HEAD = "Metadata-Version: 2.1\n"
TRAPS = {
    "no ops": (FILES | {EXT: None}, {}, "no `mmcv/_ext*.so`"),
    "other package": (FILES, {"metadata": HEAD + "Name: evil\nVersion: 2.1.0\n"}, "it says evil"),
    "other version": (FILES, {"metadata": HEAD + "Name: mmcv\nVersion: 2.2.0\n"}, "mmcv 2.2.0"),
    "no version": (FILES, {"metadata": HEAD + "Name: mmcv\n"}, "name and version"),
    "other Python inside": (FILES, {"tags": "cp36-cp36m-linux_x86_64"}, "tags in WHEEL"),
    "other machine inside": (FILES, {"tags": f"{TAG}-{TAG}-linux_aarch64"}, "tags in WHEEL"),
    "other dist-info": (FILES, {"info": "mmcv-9.dist-info"}, "does not belong to"),
    "false hash": (FILES, {"record": lambda text: text.replace("sha256=", "sha256=A", 1)}, "not what its"),
    "false size": (FILES, {"record": lambda text: text.replace(",0\n", ",7\n", 1)}, "its RECORD says 7"),
    "weak hash": (FILES, {"record": lambda text: text.replace("sha256=", "md5=", 1)}, "has no sha256"),
    "not recorded": (FILES, {"more": extra}, "`mmcv/unlisted.py` has no sha256"),
    "recorded and absent": (FILES, {"record": lambda text: text + "mmcv/gone.py,,\n"}, "not in the wheel"),
    "recorded twice": (FILES, {"record": lambda text: text + text.partition("\n")[0] + "\n"}, "is twice"),
    "no RECORD rows": (FILES, {"record": without("mmcv/")}, "has no sha256"),
    "duplicate member": (FILES, {"more": twice}, "is there twice"),
    "same name on macOS": (FILES | {"mmcv/__INIT__.py": b""}, {}, "is there twice"),
    "a link": (FILES, {"more": a_link}, "neither a file nor a folder"),
    "a path hook": (FILES | {"evil.pth": b"import os"}, {}, "`evil.pth` is neither a module"),
    "sitecustomize": (FILES | {"sitecustomize.py": b""}, {}, "takes the place of a module of Python"),
    "standard library": (FILES | {"json/__init__.py": b""}, {}, "takes the place of a module of Python"),
    "a neighbour": (FILES | {"torch/evil.py": b""}, {}, "is in the folder of torch"),
    "a neighbour in platlib": (
        FILES | {"mmcv-2.1.0.data/purelib/torch/evil.py": b""}, {}, "is in the folder of torch"),
    "a script": (FILES | {"mmcv-2.1.0.data/scripts/ls": b"#!/bin/sh"}, {}, "outside of site-packages"),
    "data": (FILES | {"mmcv-2.1.0.data/data/etc/x": b""}, {}, "outside of site-packages"),
    "a python command": (
        FILES | {"mmcv-2.1.0.dist-info/entry_points.txt": b"[console_scripts]\npython = mmcv:x\n"}, {},
        "it adds 'python'"),
    "other metadata": (FILES | {"torch-2.0.dist-info/METADATA": b"Name: torch\n"}, {}, "METADATA files"),
    "climbing": (FILES | {"../../x": b""}, {}, "would not be written as one file"),
    "absolute": (FILES | {"/x": b""}, {}, "would not be written as one file"),
    "backslash": (FILES | {"mmcv\\..\\x": b""}, {}, "would not be written as one file"),
    "missing torch symbol": (
        FILES | {EXT: elf(Made(undefined=["_ZN2at6TensorEvilEv"], needed=["libtorch.so", "libc10.so"]))}, {},
        "torch symbols: 1 torch name"),
    "other Python's extension": (
        FILES | {EXT: None, "mmcv/_ext.cpython-36m-x86_64-linux-gnu.so": CODE}, {}, "is for Python 3.6"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("trap", TRAPS, ids=lambda text: text.replace(" ", "-"))
def test_a_trap_is_refused_and_removed(served: Served, trap: str) -> None:
    files, changes, said = TRAPS[trap]
    data = whole_wheel(NAME, {k: v for k, v in files.items() if v is not None}, **changes)  # type: ignore[attr-defined, arg-type]
    assert said in refused(served, data)


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [b"", b"<html>no such file</html>", whole_wheel(NAME, FILES)[:-30], b"x" + whole_wheel(NAME, FILES)],
    ids=["empty", "a page", "cut", "with a head"],
)
def test_what_is_no_whole_wheel_is_refused_and_removed(served: Served, data: bytes) -> None:
    assert "is no whole wheel" in refused(served, data)


@pytest.mark.slow
def test_a_flipped_bit_is_found_by_its_checksum(served: Served) -> None:
    data = bytearray(whole_wheel(NAME, FILES | {"mmcv/data.bin": b"0123456789" * 50}))
    at = data.index(b"mmcv/data.bin") + len(b"mmcv/data.bin") + 4
    data[at] ^= 0x10
    assert "is no whole wheel" in refused(served, bytes(data))


@pytest.mark.slow
def test_a_wheel_that_would_fill_the_disk_is_not_unpacked(served: Served) -> None:
    def bomb(archive: zipfile.ZipFile) -> None:
        with archive.open("mmcv/zeros.bin", "w", force_zip64=True) as stream:
            for _ in range(64):  # 256 MiB
                stream.write(bytes(4 << 20))

    assert "which no real wheel does" in refused(served, whole_wheel(NAME, FILES, more=bomb))


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    data = bytearray(whole_wheel(NAME, FILES))
    # The central directory points the last member at the bytes of the first.
    last = data.rindex(b"PK\x01\x02")
    data[last + 42 : last + 46] = bytes(4)
    (tmp_path / NAME).write_bytes(data)
    assert any("shares bytes" in fault for fault in zip_faults(tmp_path / NAME))


@pytest.mark.slow
def test_a_wheel_for_another_system_is_refused(served: Served) -> None:
    name = NAME.replace("manylinux1_x86_64", "win_amd64")
    files = {"mmcv/__init__.py": b"", f"mmcv/_ext.{TAG}-win_amd64.pyd": b"MZ"}
    assert f"is not for Python {PYTHON} on linux_x86_64" in refused(
        served, whole_wheel(name, files), name=name
    )


@pytest.mark.slow
def test_a_wheel_without_code_for_the_gpu_of_the_lock_is_refused(served: Served) -> None:
    gpu = Device(kind=DeviceKind.CUDA, name="GeForce RTX 5090", arch="sm_120")
    env = make_env(())
    target = replace(env.target, platform=Platform.LINUX_X86_64, glibc="2.28", devices=(gpu,))
    changes = {"torch": "2.9.1+cu128", "target": target}

    def data(sm: int) -> bytes:
        code = elf(Made(defined=["PyInit__ext"], gpu=fatbin([container(cubin(sm))])))
        return whole_wheel(NAME, FILES | {EXT: code})

    assert "GPU code for GeForce RTX 5090: `mmcv/_ext.so` has sm_86" in refused(served, data(86), **changes)
    served.build(data(120), **changes)
    assert read_lock(served.lock).sealed


@pytest.mark.parametrize(
    ("version", "status"), [("2.1.0", CheckStatus.PASSED), ("2.2.0", CheckStatus.FAILED)]
)
def test_a_build_in_the_name_of_a_finished_wheel_is_no_other_release(
    tmp_path: Path, version: str, status: CheckStatus
) -> None:
    # flash-attn and mamba name the finished wheel: what is inside does not know of the build.
    path = tmp_path / NAME.replace("-2.1.0-", f"-{version}+cu12torch2.8-")
    path.write_bytes(whole_wheel(NAME, FILES))
    assert _folder(read_wheel(path)).status is status
