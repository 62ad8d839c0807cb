"""What `deploy/` has is read by the tools it is for, and says nothing to mmlock that it does not know."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import pytest
import yaml

from mmlock.web.settings import PREFIX, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = [
    one for file in sorted(DEPLOY.glob("kubernetes/*.yml")) for one in yaml.safe_load_all(file.read_text())
]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yml").read_text())
CONTAINERS = [
    one for m in MANIFESTS if m["kind"] == "Deployment" for one in m["spec"]["template"]["spec"]["containers"]
]
UNITS = {file.name: file.read_text() for file in sorted(DEPLOY.glob("*.service"))}
SETTINGS = {f"{PREFIX}{one.name.upper()}" for one in msgspec.structs.fields(Settings)}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_kubernetes_knows_every_field_of_a_manifest(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.slow
def test_the_compose_file_fits_the_schema_of_compose() -> None:
    words = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")
    ran = run(*words, str(DEPLOY / "compose.yml"))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_services_of_the_compose_file_name_what_is_there() -> None:
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        if build := service.get("build"):
            assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_no_fault_in_the_unit(name: str, tmp_path: Path) -> None:
    unit = tmp_path / name
    unit.write_text(UNITS[name].replace("/opt/mmlock/bin/mmlock", sys.executable))  # one that is there
    ran = run("systemd-analyze", "verify", "--man=no", str(unit))
    if "Failed to" in ran.stderr and "/run/systemd" in ran.stderr:
        pytest.skip("systemd-analyze does not work here")
    assert (ran.returncode, ran.stderr) == (0, "")


def commands() -> list[list[str]]:
    """Every command line of mmlock that something in `deploy/` starts."""
    lines = (line for unit in UNITS.values() for line in unit.splitlines())
    started = [line.split()[1:] for line in lines if line.startswith("ExecStart=")]
    services = (one["command"] for one in COMPOSE["services"].values() if "build" in one)
    return [*started, *services, *(one["args"] for one in CONTAINERS)]


@pytest.mark.slow
def test_mmlock_knows_every_option_that_is_given_to_it() -> None:
    for words in commands():
        ran = run(sys.executable, "-m", "mmlock", *words, "--help")
        assert ran.returncode == 0, (words, ran.stderr)


def test_settings_in_environments_are_settings() -> None:
    named = {variable["name"] for one in CONTAINERS for variable in one["env"]}
    assert named
    assert named <= SETTINGS
