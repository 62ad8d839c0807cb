"""Pipelines, held against the schemas of those who run them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from made_plans import one, planned, wanting
from msgspec.structs import replace

from mmlock.core.errors import UsageError
from mmlock.core.farm_arguments import ExportKind
from mmlock.farm.plan import FarmPlan
from mmlock.farm.workflows import as_pipeline


def a_plan(count: int = 3) -> FarmPlan:
    return planned(wanting(*[[frozenset({one(f"p{n}")})] for n in range(count)]))


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def schema_says(kind: str, file: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", kind, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "schema"),
    [(ExportKind.GITHUB, "vendor.github-workflows"), (ExportKind.GITLAB, "vendor.gitlab-ci")],
)
def test_a_pipeline_is_one_by_its_schema(tmp_path: Path, kind: ExportKind, schema: str) -> None:
    file = tmp_path / "pipeline.yml"
    file.write_text(as_pipeline(a_plan(), kind))

    assert schema_says(schema, file)[0] == 0, schema_says(schema, file)[1]
    file.write_text(file.read_text().replace("build:", "build: 3\nother:", 1))
    assert schema_says(schema, file)[0] != 0, "the schema notices a fault"


@pytest.mark.slow
def test_jobs_are_jobs_by_the_schema_of_kubernetes() -> None:
    import kubernetes_validate

    found = documents(as_pipeline(a_plan(), ExportKind.KUBERNETES))

    assert [document["kind"] for document in found] == ["ConfigMap", "Job", "Job", "Job"]
    for document in found:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    del found[1]["spec"]["template"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(found[1], kubernetes_validate.latest_version(), strict=True)


def test_a_name_reaches_a_shell_as_a_variable_only() -> None:
    (github,) = documents(as_pipeline(a_plan(), ExportKind.GITHUB))
    (gitlab,) = documents(as_pipeline(a_plan(), ExportKind.GITLAB))

    scripts = [step.get("run", "") for job in github["jobs"].values() for step in job["steps"]]
    scripts += [*gitlab["build"]["script"], *gitlab["pages"]["script"]]
    assert all("${{" not in script for script in scripts)
    assert sum('--only "$BUILD"' in script for script in scripts) == 2


@pytest.mark.slow
def test_each_build_is_a_job() -> None:
    names = [planned.name for planned in a_plan().builds]
    (github,) = documents(as_pipeline(a_plan(), ExportKind.GITHUB))
    (gitlab,) = documents(as_pipeline(a_plan(), ExportKind.GITLAB))
    jobs = documents(as_pipeline(a_plan(), ExportKind.KUBERNETES))[1:]

    assert github["jobs"]["build"]["strategy"]["matrix"]["build"] == names
    assert gitlab["build"]["parallel"]["matrix"] == [{"BUILD": names}]
    assert [job["metadata"]["annotations"]["mmlock/build"] for job in jobs] == names


def test_the_config_map_holds_the_plan_that_the_jobs_read() -> None:
    from mmlock.farm.plan import read_plan

    plan = a_plan()
    first = documents(as_pipeline(plan, ExportKind.KUBERNETES))[0]

    assert read_plan(first["data"]["farm-plan.json"].encode(), Path("farm-plan.json")) == plan
    assert json.loads(first["data"]["farm-plan.json"])["schema"] == 1


def test_names_of_jobs_are_dns_labels_and_differ() -> None:
    long = [replace(build, version=f"1.0+{'x' * 60}{n}") for n, build in enumerate([one("p"), one("p")])]
    plan = planned(
        wanting(*[[frozenset({replace(build, version=build.version.replace("+", "."))})] for build in long])
    )
    names = [job["metadata"]["name"] for job in documents(as_pipeline(plan, ExportKind.KUBERNETES))[1:]]

    assert len(set(names)) == 2
    assert all(len(name) <= 63 and name.replace("-", "").isalnum() and name.islower() for name in names)


def test_a_plan_without_builds_makes_no_pipeline() -> None:
    with pytest.raises(UsageError, match="has no builds"):
        as_pipeline(planned(wanting()), ExportKind.GITHUB)


@pytest.mark.slow
def test_a_workflow_with_more_jobs_than_github_runs_is_refused() -> None:
    with pytest.raises(UsageError, match="256 jobs"):
        as_pipeline(a_plan(257), ExportKind.GITHUB)
