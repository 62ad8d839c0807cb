"""What of the user's surroundings uv may see.

Where packages come from, and how to reach them, is the user's to set for every tool at once. What would
change *which* versions are chosen (a uv.toml, `UV_PRERELEASE`, `UV_CONSTRAINT`, ...) is not: an answer
is a function of the request and of the state of the indexes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from mmlock.core.artifact import IndexSettings, NamedIndex
from mmlock.net.credentials import redact
from mmlock.resolve.closure.bound_indexes import credentials
from mmlock.resolve.closure.floors import MACOS

_TRANSPORT = re.compile(
    r"UV_(CACHE_DIR|KEYRING_PROVIDER|CREDENTIALS_DIR|HTTP_TIMEOUT|HTTP_CONNECT_TIMEOUT|REQUEST_TIMEOUT"
    r"|HTTP_RETRIES|SYSTEM_CERTS|NATIVE_TLS|INSECURE_HOST|CONCURRENT_[A-Z]+|INDEX_\w+_(USERNAME|PASSWORD))"
)
"""uv's variables about *how* an index is reached; they pass as they are."""

_OWN_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")


class Sources(Struct, frozen=True, kw_only=True):
    """Every place packages may come from, the request and the environment taken together."""

    default: str | None
    extra: tuple[str, ...]
    """Tried before the default; `NAME=URL` as in UV_INDEX."""
    find_links: tuple[str, ...]
    no_index: bool
    strategy: str | None
    """UV_INDEX_STRATEGY: what to do when several indexes have a package."""
    named: tuple[NamedIndex, ...] = ()
    """Indexes that serve the packages bound to them and no other."""


def sources(index: IndexSettings, environ: Mapping[str, str]) -> Sources:
    """The request's settings, else uv's variables, else pip's."""
    own = any(environ.get(name) for name in _OWN_INDEX)
    asked = index.index_url or index.extra_index_urls
    default = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL")
    extra = f"{environ.get('UV_INDEX', '')} {environ.get('UV_EXTRA_INDEX_URL', '')}".split()
    if not own and not asked:
        default = environ.get("PIP_INDEX_URL")
        extra = environ.get("PIP_EXTRA_INDEX_URL", "").split()
    return Sources(
        default=index.index_url or default or None,
        extra=tuple(dict.fromkeys([*index.extra_index_urls, *extra])),
        find_links=index.find_links or tuple(filter(None, environ.get("UV_FIND_LINKS", "").split(","))),
        no_index=index.no_index,
        strategy=environ.get("UV_INDEX_STRATEGY") or None,
        named=index.named,
    )


def bad_source(places: Sources) -> str | None:
    """What is wrong with a source that no tool could read, as a sentence."""
    indexes = (*filter(None, [places.default]), *places.extra, *(one.url for one in places.named))
    for place in (*indexes, *places.find_links):
        url = re.sub(r"^[\w-]+=(?=\w+://)", "", place)
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname
        if not (known or parts.scheme == "file" or Path(url).exists()):
            return f"`{redact(place)}` is neither a URL (http, https, file) nor an existing folder"
    return None


def uv_environment(environ: Mapping[str, str], places: Sources) -> dict[str, str]:
    """The environment uv is started with. Index URLs travel here, for they may hold passwords."""
    kept = {
        key: value for key, value in environ.items() if not key.startswith("UV_") or _TRANSPORT.fullmatch(key)
    }
    if certificates := environ.get("PIP_CERT"):
        kept.setdefault("SSL_CERT_FILE", certificates)
    chosen = {
        "UV_DEFAULT_INDEX": places.default or "",
        "UV_INDEX": " ".join(places.extra),
        "UV_FIND_LINKS": ",".join(places.find_links),
        "UV_NO_INDEX": "1" if places.no_index else "",
        "UV_INDEX_STRATEGY": places.strategy or "",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
        # The resolver's steps: who requires whom, and what is looked at, for progress.
        "RUST_LOG": "uv_resolver=debug",
        "MACOSX_DEPLOYMENT_TARGET": MACOS,
    }
    logins = credentials(places.named) if places.named else {}
    return kept | {key: value for key, value in chosen.items() if value} | logins
