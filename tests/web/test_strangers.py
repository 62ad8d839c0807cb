"""What a request of a stranger may have the service read and run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from package_index import Index, index
from web_site import Make, make_site

from mmlock.app import serving
from mmlock.core.names import normalize
from mmlock.core.remote import api_name, body_of, remote_options
from mmlock.core.service_questions import ALLOW_VARIABLE, SolveQuestion, places_of
from mmlock.facts.matrix.load import open_matrix
from mmlock.resolve.closure.served import vouched_for
from mmlock.web.requests import SolveBody, parsed, solve_request

__all__ = ["index", "make_site"]

SOLVE = "/api/v1/solve?wait=30"
URL = "https://index.example/simple"
OWN_PLACES: list[dict[str, Any]] = [
    {"index_url": URL},
    {"extra_index_urls": [URL]},
    {"find_links": [URL]},
    {"wheel_indexes": [URL]},
    {"index": [f"team={URL}"], "index_package": ["team=openmim"]},
    {"requirements": [f"openmim @ {URL}/openmim-1.0.tar.gz"]},
    {"constraints": [f"openmim @ {URL}/openmim-1.0.tar.gz"]},
    {"with_conda": True, "channels": [URL]},
    {"with_conda": True, "channels": ["conda-forge", URL]},
]


def question(**body: Any) -> SolveQuestion:
    request = solve_request(parsed(SolveBody, json.dumps({"gpus": ["rtx5090"]} | body).encode()))
    return SolveQuestion(matrix="", request=request, sources=(normalize("own-package"),))


@pytest.mark.parametrize("body", OWN_PLACES)
def test_a_request_that_names_a_place_has_no_sources_read(body: dict[str, Any]) -> None:
    asked = question(**body)
    assert any(place.startswith(URL) for place in places_of(asked.request))
    assert vouched_for(open_matrix(), asked) == frozenset()


def test_constraints_of_a_body_bound_what_is_solved() -> None:
    """They were dropped without a word."""
    asked = question(requirements=["torch"], constraints=["numpy<2", "pillow>=10"]).request
    assert [one.text for one in asked.constraints] == ["numpy<2", "pillow>=10"]
    assert [one.text for one in asked.requirements] == ["torch"]
    again = solve_request(SolveBody.model_validate(body_of(asked)))
    assert again == asked


SAMPLES: dict[str, Any] = {
    "requirements": ["mmdet>=3"], "constraints": ["numpy<2"], "requires_python": ">=3.10",
    "stack": "detection", "gpus": ["a100"],
    "python": "3.11", "torch": "2.9.1", "cuda": "12.8", "driver": "570.1", "glibc": "2.31",
    "platform": "linux_aarch64", "ops": ["nms"], "allow_sdist": ["lap"], "channels": ["pytorch"],
    "no_known_cve": "high", "allow_missing": ["cv3"], "without": ["av"], "providers": ["onedl"],
    "prefer": ["newest-python"], "index_url": URL, "extra_index_urls": [URL], "find_links": [URL],
    "wheel_indexes": [URL], "exclude_newer": "2026-01-01", "formats": ["pylock"],
    "index": [f"team={URL}"], "index_package": ["team=openmim"], "from": ["conda:ffmpeg"],
}  # fmt: skip
TOGETHER = {
    "index": ("index_package",),
    "index_package": ("index",),
    "ops": ("allow_torch_ops",),
    "from": ("with_conda",),
}


@pytest.mark.parametrize("name", [api_name(option) for option in remote_options()])
def test_no_option_of_a_body_is_dropped(name: str) -> None:
    body = {key: SAMPLES.get(key, True) for key in (name, *TOGETHER.get(name, ()))}
    less = {} if "index" in body else {key: value for key, value in body.items() if key != name}
    assert question(**body).request != question(**less).request


def test_what_the_facts_know_and_the_operator_names_is_read_from_his_own_index() -> None:
    asked = question(requirements=["openmim"], allow_sdist=["openmim", "unknown"], with_conda=True)
    assert places_of(asked.request) == ()
    found = vouched_for(open_matrix(), asked)
    assert {"openmim", "own-package"} <= found
    assert "unknown" not in found


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:9/channel", "http://169.254.169.254/latest", "file:///etc", " FILE:///etc"]
)
def test_a_channel_is_no_way_into_the_private_network(place: str, make_site: Make) -> None:
    client = make_site(dict(serving.handlers())).client
    found = client.post(SOLVE, json={"gpus": ["a100"], "with_conda": True, "channels": [place]})
    assert found.status_code == 400
    assert "may not be fetched" in found.json()["title"] or "reads no other" in found.json()["title"]


@pytest.mark.slow
def test_the_sources_of_a_strangers_index_are_not_run(
    make_site: Make, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`openmim` is a package that the facts know; here a stranger serves it, and its set-up writes a file."""
    import package_index

    ran = tmp_path / "ran"
    monkeypatch.setattr(package_index, "BACKEND", f"open({str(ran)!r}, 'w').close()\n{package_index.BACKEND}")
    monkeypatch.setenv(ALLOW_VARIABLE, "127.0.0.1")
    for name in ("MMLOCK_CACHE_DIR", "UV_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    index.add_sdist("openmim", "99.0")
    client = make_site(dict(serving.handlers())).client
    body = {
        "gpus": ["cpu"],
        "requirements": ["torch", "openmim"],
        "index_url": index.url,
        "allow_sdist": ["openmim"],
    }
    found = client.post(SOLVE, json=body)
    assert any("openmim" in path for path in index.asked)
    assert not ran.exists()
    assert any("reads no sources" in hint for hint in found.json()["hints"])
