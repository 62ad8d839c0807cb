"""A torch wheel made for tests: what is in it is known by construction."""

from __future__ import annotations

from made_files import Made, elf, wheel


def torch_wheel(
    *, version: str = "9.9.0", cuda: str | None = "13.0", archs: str = "sm_80 sm_90 compute_90", abi: int = 1
) -> bytes:
    """As PyTorch lays it out: what was built, the library of Python, the one that loads CUDA."""
    text = "NSt7__cxx1112basic_stringIcEE" if abi else "Ss"
    python = elf(
        Made(
            undefined=[f"_ZN3c105ErrorC2E{text}", f"_ZN2at6Tensor4nameE{text}", "malloc"],
            needed=["libc10.so", "libc.so.6"],
            versions={"libc.so.6": ["GLIBC_2.17", "GLIBC_2.28"]},
            rodata=b"no list\0" + (archs.encode() + b"\0" if archs else b""),
        )
    )
    said = f"cuda: Optional[str] = {cuda!r}\n" if cuda else "cuda: Optional[str] = None\n"
    files = {
        "torch/version.py": f"__version__ = {version!r}\n{said}".encode(),
        "torch/lib/libtorch_python.so": python,
        "torch/lib/libtorch_cuda.so": bytes(300_000),
    }
    if cuda:
        runtime = f"libcudart.so.{cuda.partition('.')[0]}"
        files["torch/lib/libc10_cuda.so"] = elf(Made(defined=["x"], needed=[runtime, "libc10.so"]))
    return wheel(files, name="torch", version=version)
