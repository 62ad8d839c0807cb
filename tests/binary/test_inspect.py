"""Wheels, folders and environments read as a whole, here and over HTTP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from made_files import Made, container, cubin, elf, fatbin, ptx, wheel

from mmlock.binary.cache import inspect_cached
from mmlock.binary.environment import find_site_packages, read_environment
from mmlock.binary.inspect import Effort, Uninspected, inspect_folder, inspect_wheel
from mmlock.binary.model import BinaryFormat, Extent, HasGpuCode, Inspected
from mmlock.core.names import Platform, Sha256
from mmlock.net.http import Client

if TYPE_CHECKING:
    from conftest import Host

NEEDS = ["_ZN2at6Tensor4sizeEv", "_ZN3c105ErrorC2ENSt7__cxx1112basic_stringIcEE", "malloc"]
GPU = fatbin([container(cubin(80), cubin(90), ptx(90)), container(cubin(80), ptx(90)), container(cubin(75))])


def extension(*, gpu: bytes = GPU, gap: int = 0, register: bool = True) -> bytes:
    names = [*NEEDS, *(["__cudaRegisterFatBinary"] if register else [])]
    return elf(
        Made(
            undefined=names,
            defined=["PyInit__C"],
            needed=["libc10.so", "libcudart.so.12", "libc.so.6"],
            versions={"libc.so.6": ["GLIBC_2.17"]},
            gap=gap,
            gpu=gpu,
        )
    )


NAME = "ext-1.0-cp310-cp310-manylinux2014_x86_64.whl"
PATH = "ext/_C.cpython-310-x86_64-linux-gnu.so"


def inspected(found: Inspected | Uninspected) -> Inspected:
    assert isinstance(found, Inspected), found
    return found


def test_a_wheel_on_disk(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(wheel({PATH: extension()}, requires=["torch==2.1.0", "numpy"]))
    found = inspected(inspect_wheel(path))
    (one,) = found.extensions
    assert (found.name, found.version, found.tags) == ("ext", "1.0", ("cp310-cp310-manylinux2014_x86_64",))
    assert found.requires == ("torch==2.1.0", "numpy")
    assert one.torch_needs == tuple(sorted(NEEDS[:2]))
    assert one.needed == ("libc10.so", "libcudart.so.12", "libc.so.6")
    assert (one.cxx11_abi, one.python, one.modules) == (1, "cpython-310", ("_C",))
    assert one.floors == {"GLIBC": "2.17"}
    assert one.gpu is HasGpuCode.YES
    assert one.gpu_code is not None
    assert one.gpu_code.archs == ()
    assert one.gpu_code.some_archs == ("sm_75", "sm_80", "sm_90")


def test_an_unpacked_folder_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "ext").mkdir()
    (tmp_path / PATH).write_bytes(extension())
    (tmp_path / "a.whl").write_bytes(wheel({PATH: extension()}))
    packed = inspected(inspect_wheel(tmp_path / "a.whl"))
    folder = inspected(inspect_folder(tmp_path))
    assert folder.extensions == packed.extensions


@pytest.mark.slow
def test_a_remote_wheel_costs_a_part_of_it(host: Host, client: Client) -> None:
    data = wheel({PATH: extension(gap=8_000_000)})
    url = host.put(NAME, data)
    found = inspected(inspect_wheel(url, client=client, effort=Effort(gpu=False)))
    (one,) = found.extensions
    assert one.extent is Extent.PREFIX
    assert found.bytes_read == host.sent < len(data) / 10
    assert found.size == len(data)
    assert one.torch_needs == tuple(sorted(NEEDS[:2]))
    assert set(one.needed) == {"libc10.so", "libcudart.so.12", "libc.so.6"}
    assert one.floors == {"GLIBC": "2.17"}
    assert one.gpu is HasGpuCode.UNKNOWN


@pytest.mark.slow
def test_the_first_kernels_of_a_remote_wheel_are_a_sample(host: Host, client: Client) -> None:
    url = host.put(NAME, wheel({PATH: extension(gap=4_000_000)}))
    (one,) = inspected(inspect_wheel(url, client=client)).extensions
    assert one.gpu_code is not None
    assert (one.gpu_code.archs, one.gpu_code.ptx) == (("sm_80",), ("compute_90",))
    assert (one.gpu_code.containers, one.gpu_code.complete) == (2, False)


@pytest.mark.slow
def test_whole_reads_all_kernels(host: Host, client: Client) -> None:
    url = host.put(NAME, wheel({PATH: extension(gap=4_000_000)}))
    (one,) = inspected(inspect_wheel(url, client=client, effort=Effort(whole=True))).extensions
    assert one.extent is Extent.WHOLE
    assert one.gpu_code is not None
    assert one.gpu_code.complete
    assert one.gpu_code.containers == 3


@pytest.mark.slow
def test_a_rewritten_file_is_read_whole(host: Host, client: Client) -> None:
    """patchelf moves the strings to the end: the beginning does not tell."""
    data = bytearray(extension(gap=4_000_000))
    at = data.index(b"\0_ZN2at6Tensor4sizeEv")
    strings = data[at : data.index(b"\0\0", at) + 1]
    place = data.index((5).to_bytes(8, "little") + at.to_bytes(8, "little"))
    data[at : at + len(strings)] = b"X" * len(strings)
    data[place + 8 : place + 16] = len(data).to_bytes(8, "little")
    data += strings
    data[96:104] = data[104:112] = len(data).to_bytes(8, "little")
    (one,) = inspected(inspect_wheel(host.put(NAME, wheel({PATH: bytes(data)})), client=client)).extensions
    assert one.extent is Extent.WHOLE
    assert one.torch_needs == tuple(sorted(NEEDS[:2]))


def test_a_server_without_ranges_gives_the_same_for_more(host: Host, client: Client) -> None:
    host.ranges = False
    data = wheel({PATH: extension()})
    found = inspected(inspect_wheel(host.put(NAME, data), client=client))
    assert found.extensions[0].torch_needs == tuple(sorted(NEEDS[:2]))
    assert found.bytes_read == len(data)


@pytest.mark.parametrize(
    ("lie", "short", "says"),
    [(1000, 0, "length it states|no readable|is not where|changed"), (0, 10, "were asked for")],
)
def test_a_server_that_lies_is_found_out(host: Host, client: Client, lie: int, short: int, says: str) -> None:
    host.lie, host.short = lie, short
    found = inspect_wheel(host.put(NAME, wheel({PATH: extension(gap=1_000_000)})), client=client)
    if isinstance(found, Inspected):  # the directory was sound: then its file was not
        assert found.not_read
        why = found.not_read[0].why
    else:
        why = found.why
    assert re.search(says, why)


@pytest.mark.slow
def test_a_budget_ends_reading(host: Host, client: Client) -> None:
    url = host.put(NAME, wheel({PATH: extension(gap=8_000_000)}))
    found = inspected(inspect_wheel(url, client=client, effort=Effort(whole=True, budget=2_000_000)))
    assert not found.extensions
    assert "more would have to be read" in found.not_read[0].why
    assert host.sent <= 2_000_000


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    files = {
        "a/x.pyd": b"MZ" + bytes(100),
        "a/y.so": b"\xcf\xfa\xed\xfe" + bytes(100),
        "a/text.so": b"import _C\n",
        "a/empty.so": b"",
        "a/big.so": b"\x7fELF\x02\x02\x01" + bytes(11) + b"\x00\x15" + bytes(60),
        "a/cut.so": extension()[:300],
    }
    (tmp_path / "w.whl").write_bytes(wheel(files))
    found = inspected(inspect_wheel(tmp_path / "w.whl"))
    told = {file.path: (file.kind, file.why) for file in found.not_read}
    assert told["a/x.pyd"][0] is BinaryFormat.PE
    assert "Windows" in told["a/x.pyd"][1]
    assert told["a/y.so"][0] is BinaryFormat.MACH_O
    assert told["a/text.so"][0] is BinaryFormat.OTHER
    assert told["a/empty.so"][0] is BinaryFormat.OTHER
    assert "big-endian ELF file for ppc64" in told["a/big.so"][1]
    assert "outside the file" in told["a/cut.so"][1]
    assert not found.extensions


@pytest.mark.parametrize("data", [b"", b"no wheel", wheel({PATH: b"x"})[:-30]])
def test_what_is_no_wheel_is_a_value(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "w.whl").write_bytes(data)
    found = inspect_wheel(tmp_path / "w.whl")
    assert isinstance(found, Uninspected)
    assert "no readable zip" in found.why
    assert isinstance(inspect_wheel(tmp_path / "none.whl"), Uninspected)


def test_a_wheel_is_read_once(host: Host, client: Client, tmp_path: Path) -> None:
    url = host.put(NAME, wheel({PATH: extension()}))
    digest = Sha256("a" * 64)
    first = inspected(inspect_cached(url, digest, tmp_path, client=client))
    sent = host.sent
    again = inspected(inspect_cached(url, digest, tmp_path, client=client))
    assert host.sent == sent
    assert again.extensions == first.extensions
    (kept,) = tmp_path.rglob("*.json")
    kept.write_bytes(b"{")
    assert inspected(inspect_cached(url, digest, tmp_path, client=client)).extensions == first.extensions
    assert host.sent > sent


def test_an_environment_is_its_torch_and_what_needs_it(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.10" / "site-packages"
    install(site, "torch", "2.1.0", {})
    (site / "torch" / "lib").mkdir(parents=True)
    (site / "torch" / "version.py").write_text("__version__ = '2.1.0+cu121'\ncuda: Optional[str] = '12.1'\n")
    c = elf(Made(defined=["PyInit__C"], needed=["libtorch_python.so", "libc.so.6"]))
    (site / "torch" / "_C.cpython-310-x86_64-linux-gnu.so").write_bytes(c)
    lib = elf(Made(defined=[NEEDS[0]], needed=["libcudart.so.12"], soname="libtorch_python.so"))
    (site / "torch" / "lib" / "libtorch_python.so").write_bytes(lib)
    install(site, "ext", "1.0", {PATH: extension()})
    install(site, "plain", "1.0", {"plain/_x.so": elf(Made(undefined=["malloc"], defined=["PyInit__x"]))})
    assert find_site_packages(tmp_path) == site
    env = read_environment(site)
    assert env.python == "3.10"
    assert [package.name for package in env.packages] == ["ext"]
    assert env.torch is not None
    facts = env.torch.facts
    assert (facts.build.torch, facts.build.variant) == ("2.1.0", "cu121")
    assert facts.build.platform is Platform.LINUX_X86_64
    assert "libcudart.so.12" in facts.needs
    assert env.torch.names == {NEEDS[0]}


def install(site: Path, name: str, version: str, files: dict[str, bytes]) -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text(
        "".join(f"{path},,\n" for path in files) + "torch/lib/libx.so,,\n" * (name == "torch")
    )
    for path, data in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(data)
