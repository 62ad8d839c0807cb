"""Wheel variants (PEP 825, 850) as uv 0.13 reads them: which wheel is for which GPU, and the wheels so named.

The format still moves: all that is known of it is in this file. A variant is the very wheel with a
`variant.json` in its dist-info and a label at the end of its name; it is made when it is first listed, and
the same wheel gives the same bytes. Properties are in the words of NVIDIA's provider.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from mmlock.core.names import Sha256
from mmlock.files.digest import sha256_of
from mmlock.wheels.index_file import IndexFile
from mmlock.wheels.wheel_file import Rewrite, read_wheel, rewrite_wheel

__all__ = ["document_name", "is_variant", "label_of", "variant_wheel", "variants_document"]

_SCHEMA = "https://variants-schema.wheelnext.dev/v0.2.0.json"
_NAMESPACE = "nvidia"
_PROVIDER = {
    "requires": ["nvidia-variant-provider>=0.0.1"],
    "plugin-api": "nvidia_variant_provider.plugin:NvidiaVariantPlugin",
}
_NOT_OF_A_LABEL = re.compile(r"[^a-z0-9_]")
_ARCH = re.compile(r"(\d+)\.(\d)([af]?)(\+PTX)?")


def is_variant(file: IndexFile) -> bool:
    """Whether a wheel is for some GPUs only, so that no tool may take it that does not look at them."""
    return bool(file.archs and (file.variant or "").startswith("cu"))


def _properties(file: IndexFile) -> dict[str, list[str]]:
    """What a machine must have: a GPU with one of these archs, and a driver of that CUDA."""
    archs: list[str] = []
    for text in file.archs:
        found = _ARCH.fullmatch(text)
        if found is None:
            continue
        number = f"{found[1]}{found[2]}{found[3]}"
        archs.append(f"{number}_real")
        if found[4]:
            archs.append(f"{number}_virtual")
    cuda = (file.variant or "")[2:]
    return {"sm_arch": archs, "cuda_version_lower_bound": [f"{cuda[:-1]}.{cuda[-1]}"]}


def label_of(file: IndexFile) -> str:
    """How a variant is called: `cu130_sm120`; several archs one after the other.

    It is a part of a file's name, made of what was recorded of a build: nothing else is kept.
    """
    archs = "_".join(f"sm{text.replace('.', '').replace('+PTX', 'ptx').lower()}" for text in file.archs)
    return _NOT_OF_A_LABEL.sub("", f"{file.variant}_{archs}")


def document_name(project: str, version: str) -> str:
    """The file that describes the variants of a release."""
    return f"{re.sub(r'[-_.]+', '_', project)}-{version}-variants.json"


def variants_document(files: Iterable[IndexFile]) -> bytes:
    """What the variants of one release are for."""
    variants = {label_of(file): {_NAMESPACE: _properties(file)} for file in files}
    return _encoded(variants)


def _encoded(variants: Mapping[str, Any]) -> bytes:
    document = {
        "$schema": _SCHEMA,
        "default-priorities": {"namespace": [_NAMESPACE]},
        "providers": {_NAMESPACE: _PROVIDER},
        "variants": variants,
    }
    return json.dumps(document, indent=1, sort_keys=True).encode()


def variant_wheel(file: IndexFile, folder: Path) -> IndexFile:
    """The wheel as a variant, in a folder of its own digest. Raises EnvironmentFault for a broken one."""
    label = label_of(file)
    name = f"{file.name.removesuffix('.whl')}-{label}.whl"
    place = folder / file.sha256[:2] / file.sha256 / name
    if not place.is_file():
        facts = read_wheel(file.path)
        about = _encoded({label: {_NAMESPACE: _properties(file)}})
        parts = file.name.removesuffix(".whl").split("-")
        change = Rewrite(version=parts[1], build=facts.build or "0", extra={"variant.json": about})
        made = rewrite_wheel(facts, place.parent / ".making", change)
        made.replace(place)
    digest = sha256_of(place)
    return replace(file, name=name, path=place, sha256=Sha256(digest), size=place.stat().st_size)
