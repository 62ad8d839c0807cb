"""Every reader of bytes from outside, as `bytes -> None`, and the errors that it may name.

Anything else that it raises is a fault. The rows are run on the committed corpus by the unit tests, and by
Atheris on inputs of its own making.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from mmlock.app.serving import places_of
from mmlock.binary.archive import Archive, ArchiveLimits
from mmlock.binary.demangle import demangle
from mmlock.binary.elf import read_elf
from mmlock.binary.elf_prefix import read_elf_prefix
from mmlock.binary.fatbin import read_gpu_code
from mmlock.binary.reading import Memory, Unreadable
from mmlock.core.catalogue import parse_catalogue
from mmlock.core.errors import EnvironmentFault, MatrixError, UsageError
from mmlock.core.names import Confidence, PackageName
from mmlock.core.pyproject import parse_project
from mmlock.core.requirements import parse_file
from mmlock.doctor.log import read_log
from mmlock.doctor.log_entities import find_log_entities
from mmlock.facts.matrix.advisories import Advisory
from mmlock.facts.matrix.decoding import decode
from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.facts.scrape import advisories
from mmlock.facts.scrape.archives import BadArchive, read_tree
from mmlock.facts.scrape.checks import asserts
from mmlock.facts.scrape.conda_locks import UnreadableCondaLock, records
from mmlock.facts.scrape.fetch_page import Scrape, Scraped
from mmlock.facts.scrape.flash_attn import assets_of
from mmlock.facts.scrape.metadata import identity, metadata
from mmlock.facts.scrape.metadata_chain import release_metadata
from mmlock.facts.scrape.openmmlab import parse_old_page
from mmlock.facts.scrape.openmmlab import parse_page as parse_directory
from mmlock.facts.scrape.pypi_rows import details
from mmlock.facts.scrape.pytorch import BASE, wheels_of
from mmlock.facts.scrape.pytorch_files import recorded
from mmlock.facts.scrape.tags import release_of, wheel_name
from mmlock.facts.scrape.torch_packages import offers_of
from mmlock.farm.plan import read_plan
from mmlock.farm.sweep import read_sweep
from mmlock.lock.formats import build_toml, pixi_lock, pylock
from mmlock.lock.tree_requires import requires_of
from mmlock.net.fetching import Fetched
from mmlock.net.links import is_whole, links
from mmlock.net.simple import parse_page, parse_simple
from mmlock.resolve.closure.uv_lock import read_lock
from mmlock.resolve.closure.uv_log import classify, denied_pages, explanation, unknown_pages, unread_page
from mmlock.resolve.request.nvidia_smi import parse_nvidia_smi
from mmlock.scan.configs.read import read_config
from mmlock.scan.left_out import UnreadSourceError
from mmlock.scan.module import module_facts
from mmlock.scan.notebook import code_cells, notebook_facts
from mmlock.scan.pins.collect import collect
from mmlock.scan.source import parse, to_text
from mmlock.upkeep.forges import gitea, github, gitlab
from mmlock.upkeep.forges.model import ForgeFault
from mmlock.upkeep.forges.rest import RestAnswer, decoded
from mmlock.upkeep.update.advisories import parse_advisories
from mmlock.validate.attest.documents import DocumentError
from mmlock.validate.attest.envelope import read_envelope
from mmlock.validate.attest.statements import read_statement
from mmlock.validate.carried import read_result
from mmlock.web.requests import DoctorBody, InspectBody, SolveBody, WhyNotBody, parsed, solve_request
from mmlock.wheels.wheel_file import read_wheel
from mmlock.wheels.wheel_record import record_faults

URL = "https://x.example/mmcv/dist/cu121/torch2.2.0/index.html"
LIMITS = ArchiveLimits(entry=4 * 1024 * 1024, ratio_from=1024 * 1024)
WHEEL = "a-1-py3-none-any.whl"
ROOT = Path(__file__).parents[2]
TORCH = PackageName("torch")


@dataclass(frozen=True)
class Target:
    """A reader, and what it may raise."""

    name: str
    read: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...] = ()

    def __call__(self, data: bytes) -> None:
        with suppress(*self.allowed):
            self.read(data)


@cache
def facts() -> Matrix:
    return open_matrix(ROOT / "matrices")


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """A reader of text that was decoded before it came."""
    return lambda data: read(data.decode("utf-8", "replace"))


# ---------------------------------------------------------------- pages


def simple_page(data: bytes) -> None:
    for kind in ("text/html", "application/vnd.pypi.simple.v1+json", "text/html; charset=\xff"):
        parse_page(data, kind, URL)
    found = parse_simple(data, "text/html", URL)
    if isinstance(found, tuple):
        wheels_of(found)
        offers_of(found)
        for file in recorded(found, ("torch", "torchvision"), BASE):
            assert file.url.startswith(f"{BASE}/")


def page_links(data: bytes) -> None:
    links(data, URL)
    is_whole(data)
    parse_directory(data, URL)
    parse_old_page(data, URL, "page")


def json_page(data: bytes) -> None:
    """What the JSON API tells becomes no more fields than it has."""
    details(data)
    assets_of(data)
    made = release_metadata(data)
    if made is not None:
        assert made.count(b"\nName: ") == 1
        metadata(made)


def file_name(name: str) -> None:
    wheel = wheel_name(name)
    if wheel is not None:
        assert "/" not in name
        assert (wheel.pythons, wheel.platform) is not None
    release_of(name)


# ---------------------------------------------------------------- archives and compiled files


def source_archive(data: bytes) -> None:
    for name in ("a-1.tar.gz", WHEEL):
        with suppress(BadArchive):
            read_tree(name, data)


def wheel_zip(data: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="mmlock-fuzz-") as folder:
        path = Path(folder, WHEEL)
        path.write_bytes(data)
        list(record_faults(path))
        read_wheel(path)


def wheel_texts(data: bytes) -> None:
    """A wheel whose METADATA, WHEEL and RECORD hold these bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("METADATA", "WHEEL", "RECORD"):
            archive.writestr(zipfile.ZipInfo(f"a-1.dist-info/{name}"), data)
    wheel_zip(made.getvalue())


def compiled(data: bytes) -> None:
    source = Memory(data)
    for read in (read_elf, read_elf_prefix):
        with suppress(Unreadable):
            read(source)
    with suppress(Unreadable):
        read_gpu_code(source, 0, len(data))


def members(data: bytes) -> None:
    archive = Archive(Memory(data), LIMITS)
    for member in archive.members.values():
        for _ in archive.chunks(member):
            pass


# ---------------------------------------------------------------- documents


def fact_file(data: bytes) -> None:
    """As every kind of file that there is."""
    for section in SECTIONS.values():
        with suppress(MatrixError):
            decode(section, "x", data)


def uv_words(err: str) -> None:
    classify(err)
    explanation(err, ())
    unknown_pages(err)
    denied_pages(err)
    unread_page(err)


def log(data: bytes) -> None:
    find_log_entities(read_log(io.BytesIO(data)), facts())


def osv(data: bytes) -> None:
    """As the answers of PyPI and of OSV about one advisory."""
    page = Fetched(url=URL, content_type="application/json", body=data)
    asked = advisories.scrape(held={TORCH: ("2.4.1",)}, known={}, day="2026-11-20")
    known = {fact.package: fact.rows for fact in answered(asked, page).facts}
    row = Advisory(
        id="CVE-2025-0001", aliases=("GHSA-aaaa-bbbb-cccc",), summary="x", affected=("<2",), fixed_in=(),
        severity=None, url=URL, source=("x",), confidence=Confidence.CAPTURED,
    )  # fmt: skip
    answered(advisories.scrape_osv(known={TORCH: (row,), **known}, day="2026-11-20"), page)
    parse_advisories(data, "torch", "2.4.1")


def answered(asking: Scrape, page: Fetched) -> Scraped:
    """What a scraper makes of a site that answers everything with this page."""
    try:
        asked = next(asking)
        while True:
            asked = asking.send([page] * len(asked))
    except StopIteration as end:
        return cast("Scraped", end.value)


def service_bodies(data: bytes) -> None:
    for model in (SolveBody, WhyNotBody, DoctorBody, InspectBody):
        with suppress(UsageError):
            body = parsed(model, data)
            if model is SolveBody:
                places_of(solve_request(body))


def forge_answers(data: bytes) -> None:
    for kind in (github._Repository, gitea._Repository, gitlab._Project):
        with suppress(ForgeFault):
            decoded(RestAnswer(status=200, body=data, headers={}), kind)


# ---------------------------------------------------------------- projects


def python_source(data: bytes) -> None:
    module_facts(parse(to_text(data)))
    requires_of({"setup.py": data})


def notebook(data: bytes) -> None:
    notebook_facts(code_cells(to_text(data)))


def pins(file: str) -> Callable[[bytes], object]:
    return lambda data: collect([file], lambda _: to_text(data))


def config(data: bytes) -> None:
    for name in ("a.py", "a.json", "a.yaml"):
        with suppress(UnreadSourceError):
            read_config(name, lambda _: to_text(data), lambda module, _: f"{module.strip('.')}.py")


TARGETS = (
    Target("simple_page", simple_page),
    Target("page_links", page_links),
    Target("json_page", json_page),
    Target("metadata", lambda data: (metadata(data), identity(data))),
    Target("file_name", text(file_name)),
    Target("source_archive", source_archive),
    Target("import_asserts", text(asserts), (SyntaxError, ValueError, RecursionError, MemoryError)),
    Target("wheel_zip", wheel_zip, (EnvironmentFault,)),
    Target("wheel_texts", wheel_texts, (EnvironmentFault,)),
    Target("compiled", compiled),
    Target("archive_members", members, (Unreadable,)),
    Target("demangle", lambda data: demangle(data[:200].decode("latin-1"))),
    Target("pylock", text(pylock.read), (UsageError,)),
    Target("build_toml", text(build_toml.read), (UsageError,)),
    Target("uv_lock", lambda data: read_lock(data, frozenset())),
    Target("requirements", text(lambda words: parse_file(words, "r.txt"))),
    Target("pyproject", text(lambda words: parse_project(words, "p.toml", extras=["a"], groups=["dev"]))),
    Target("catalogue", text(lambda words: parse_catalogue(words, Path("mmlock.toml"))), (UsageError,)),
    Target("envelope", read_envelope, (DocumentError,)),
    Target("statement", read_statement, (DocumentError,)),
    Target("fact_file", fact_file),
    Target("conda_lock", lambda data: records(data, "x"), (UnreadableCondaLock,)),
    Target("pixi_lock", text(lambda words: pixi_lock.read(words, "pixi.lock")), (UsageError,)),
    Target("carried_result", lambda data: read_result(data, "x"), (UsageError,)),
    Target("farm_plan", lambda data: read_plan(data, Path("x")), (UsageError,)),
    Target("sweep", lambda data: read_sweep(data, Path("x")), (UsageError,)),
    Target("osv", osv),
    Target("service_bodies", service_bodies),
    Target("forge_answers", forge_answers),
    Target("log", log, (UsageError,)),
    Target("uv_words", text(uv_words)),
    Target("nvidia_smi", text(parse_nvidia_smi)),
    Target("python_source", python_source, (UnreadSourceError,)),
    Target("notebook", notebook, (UnreadSourceError,)),
    Target("config", config),
    Target("setup_cfg", lambda data: (requires_of({"setup.cfg": data}), pins("setup.cfg")(data))),
    Target("project_toml", pins("pyproject.toml")),
    Target("pinned_requirements", pins("requirements.txt")),
    Target("environment_yml", pins("environment.yml")),
    Target("dockerfile", pins("Dockerfile")),
)
