"""The API against its own description, by a tool that we did not write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from web_site import Make, serve

from mmlock.app import serving
from mmlock.core.progress import Progress
from mmlock.web.app import make_app

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def solved(_arguments: bytes, _progress: Progress) -> bytes:
    """The shape of a lock, without an index."""
    lock = {"stack": "x", "target": {}, "python": "3.12", "torch": "2", "sealed": True}
    lock |= {"packages": [], "fetch": [], "build": []}
    return json.dumps({"text": "", "files": {}, "lock": lock}).encode()


@pytest.mark.slow
def test_every_answer_is_one_that_the_description_names(
    make_site: Make, small_catalogue: Path, tmp_path: Path
) -> None:
    pytest.importorskip("schemathesis")
    handlers = {**serving.handlers(), "solve": solved}
    del handlers["inspect"]  # it asks indexes
    stop, url = serve(make_app(make_site(handlers, catalogue=small_catalogue).service))
    program = Path(sys.executable).with_name("schemathesis")
    words = ["run", f"{url}/api/v1/openapi.json", "--max-examples", "8", "--phases", "examples,fuzzing"]
    words += [
        "--request-timeout",
        "120",
        "--checks",
        CHECKS,
        "--exclude-path-regex",
        "events|inspect",
        "--seed",
        "1",
        "--no-color",
    ]
    try:
        ran = subprocess.run([program, *words], capture_output=True, text=True, check=False, cwd=tmp_path)
    finally:
        stop()
    assert ran.returncode == 0, ran.stdout[-5000:]
