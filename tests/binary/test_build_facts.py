"""What remote wheels of torch and of extensions hold, in the words of the matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from made_files import Made, container, cubin, elf, fatbin, ptx, wheel
from made_torch import torch_wheel

from mmlock.binary.build_facts import Holds, Unread, UnreadReason, read_build, read_extension_wheel
from mmlock.net.http import Client

if TYPE_CHECKING:
    from conftest import Host

WHEEL = "torch-9.9.0-cp312-cp312-manylinux_2_28_x86_64.whl"


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(environ={}, sleep=lambda _: None) as made:
        yield made


@pytest.mark.slow
def test_a_torch_tells_all_that_its_name_does_not(host: Host, client: Client) -> None:
    assert read_build(client, host.put(WHEEL, torch_wheel())) == Holds(
        archs=("sm_80", "sm_90"),
        ptx=("compute_90",),
        cuda="13.0",
        cudart="libcudart.so.13",
        cxx11_abi=1,
        glibc="2.28",
    )


def test_a_torch_for_the_cpu_has_no_archs_and_an_old_abi_is_told(host: Host, client: Client) -> None:
    found = read_build(client, host.put(WHEEL, torch_wheel(cuda=None, archs="", abi=0)))
    assert isinstance(found, Holds)
    assert (found.archs, found.cuda, found.cudart, found.cxx11_abi) == ((), None, None, 0)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (torch_wheel(archs=""), "holds no arch list"),
        (wheel({"torch/x.py": b""}, name="torch"), "libtorch_python.so"),
        (wheel({"torch/lib/libtorch_python.so": b"not compiled"}, name="torch"), ""),
        (b"<html>Please sign in</html>", ""),
        (b"", ""),
    ],
)
def test_a_torch_that_cannot_be_read_says_why(host: Host, client: Client, data: bytes, why: str) -> None:
    found = read_build(client, host.put(WHEEL, data))
    assert isinstance(found, Unread)
    assert found.kind in {UnreadReason.DAMAGED, UnreadReason.NO_ARCH_LIST}
    assert found.why
    assert why in found.why


def extension(*containers: bytes, runtime: str = "libcudart.so.12") -> bytes:
    names = ["_ZN3c105ErrorC2ENSt7__cxx1112basic_stringIcEE", "__cudaRegisterFatBinary"]
    gpu = fatbin(containers)
    needed = ["libc10.so", runtime]
    return elf(Made(undefined=names, defined=["PyInit__C"], needed=needed, gpu=gpu))


def read(host: Host, client: Client, **files: bytes) -> Holds | Unread:
    name = "ext-1.0-cp310-cp310-manylinux2014_x86_64.whl"
    data = wheel({f"ext/{path}.cpython-310-x86_64-linux-gnu.so": data for path, data in files.items()})
    return read_extension_wheel(client, host.put(name, data), None, None)


def test_an_extension_serves_what_all_of_its_files_serve(host: Host, client: Client) -> None:
    one = extension(container(cubin(75), cubin(80), ptx(80)))
    two = extension(container(cubin(80), cubin(90), ptx(80)))
    found = read(host, client, a=one, b=two)
    assert isinstance(found, Holds)
    assert (found.archs, found.ptx, found.cudart, found.cxx11_abi) == (
        ("sm_80",),
        ("compute_80",),
        "libcudart.so.12",
        1,
    )


def test_files_that_load_two_cuda_runtimes_leave_it_unknown(host: Host, client: Client) -> None:
    one, two = extension(container(cubin(80))), extension(container(cubin(80)), runtime="libcudart.so.13")
    found = read(host, client, a=one, b=two)
    assert isinstance(found, Holds)
    assert found.cudart is None


def test_a_file_that_cannot_be_read_leaves_the_wheel_unread(host: Host, client: Client) -> None:
    found = read(host, client, a=extension(container(cubin(80))), b=b"MZ" + bytes(500))
    assert isinstance(found, Unread)
    assert found.kind is UnreadReason.PARTLY
    assert "Windows" in found.why
