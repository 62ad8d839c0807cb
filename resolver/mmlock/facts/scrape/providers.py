"""Wheels of mmcv that others build: names and folders of their indexes, as rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from mmlock.core.names import Confidence, PackageName, Platform, normalize
from mmlock.facts.matrix.model import ProvidedWheel
from mmlock.facts.scrape.tags import glibc_of_tag, pythons_of, wheel_name

__all__ = ["ProviderOffer", "offer", "provided"]


class ProviderOffer(Struct, frozen=True, kw_only=True):
    """One wheel of a provider."""

    package: PackageName
    version: str
    torch: str
    variant: str
    platform: Platform
    python: str
    tag: str
    url: str
    hashed: bool


def offer(
    name: str, url: str, package: PackageName, torch: str, variant: str, *, hashed: bool
) -> ProviderOffer | None:
    """A file as an offer; None when it is no compiled wheel of that package for one Python."""
    parts = wheel_name(name)
    if parts is None or normalize(parts.name) != package or parts.platform is None:
        return None
    pythons = pythons_of([parts.python])
    if len(pythons) != 1 or not url.startswith("https://"):
        return None
    return ProviderOffer(
        package=package,
        version=parts.version,
        torch=torch,
        variant=variant,
        platform=parts.platform,
        python=pythons[0],
        tag=parts.tag,
        url=url.replace(f"-{parts.python}-{parts.abi}-", "-{py}-{py}-"),
        hashed=hashed,
    )


def provided(offers: Iterable[ProviderOffer], provider: str, index: str, source: str) -> list[ProvidedWheel]:
    """Rows: one for each version, torch, variant and platform."""
    groups: dict[tuple[str, str, str, Platform], list[ProviderOffer]] = {}
    for one in offers:
        groups.setdefault((one.version, one.torch, one.variant, one.platform), []).append(one)
    rows = []
    for (version, torch, variant, platform), found in groups.items():
        first = min(found, key=lambda one: one.url)
        rows.append(
            ProvidedWheel(
                provider=provider,
                package=first.package,
                version=version,
                torch=torch,
                variant=variant,
                platform=platform,
                pythons=pythons_of({one.python for one in found}),
                archs=None,
                glibc=glibc_of_tag([first.tag]),
                index=index.replace("VARIANT", variant).replace("TORCH", torch.strip("=").replace(".", "")),
                url=first.url,
                hashed=all(one.hashed for one in found),
                source=(source,),
                confidence=Confidence.CAPTURED,
            )
        )
    return rows
