"""The table of kernel suites: which files check which package. A new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class KernelSuite(Struct, frozen=True, kw_only=True):
    """The checks of one package, and where they are."""

    name: str
    packages: tuple[str, ...]
    """Distributions that bring the ops; a name that ends in `*` stands for all that begin so."""
    files: tuple[str, ...]
    """Modules in `kernels/`."""

    def of(self, names: Iterable[str]) -> str | None:
        """The package among `names` that this suite checks."""
        for name in sorted(names):
            if any(_matches(name, pattern) for pattern in self.packages):
                return name
        return None

    @property
    def words(self) -> str:
        """Its argument for `kernels/run.py`."""
        return f"{self.name}:{','.join(self.files)}"


SUITES: tuple[KernelSuite, ...] = (
    KernelSuite(name="torch", packages=("torch",), files=("torch_ops",)),
    KernelSuite(name="torchvision", packages=("torchvision",), files=("torchvision_ops",)),
    KernelSuite(
        name="mmcv",
        packages=("mmcv", "mmcv-full", "onedl-mmcv"),
        files=(
            "mmcv_boxes",
            "mmcv_rois",
            "mmcv_deform",
            "mmcv_filters",
            "mmcv_points",
            "mmcv_dense",
            "mmcv_clouds",
            "mmcv_sparse",
            "mmcv_regions",
            "mmcv_outlines",
            "mmcv_volumes",
            "mmcv_layers",
        ),
    ),
    KernelSuite(name="mmdet3d", packages=("mmdet3d",), files=("mmdet3d_ops",)),
    KernelSuite(name="msda", packages=("multiscaledeformableattention",), files=("msda",)),
    KernelSuite(name="xformers", packages=("xformers",), files=("xformers_ops",)),
    KernelSuite(name="flash-attn", packages=("flash-attn",), files=("flash_attn_ops",)),
    KernelSuite(name="spconv", packages=("spconv", "spconv-cu*"), files=("spconv_ops",)),
    KernelSuite(name="models", packages=("mmdet", "mmsegmentation"), files=("models",)),
)


def chosen(names: Iterable[str], only: tuple[str, ...] = ()) -> tuple[tuple[KernelSuite, str], ...]:
    """The suites for these packages, each with the package it checks."""
    present = tuple(names)
    pairs = [(suite, suite.of(present)) for suite in SUITES if not only or suite.name in only]
    return tuple((suite, package) for suite, package in pairs if package is not None)


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
