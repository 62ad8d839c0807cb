"""A plan as a pipeline of someone else's: GitHub Actions, GitLab CI, Kubernetes Jobs.

Each job builds one wheel with `mmlock farm run PLAN --only NAME`; a last one publishes all of them. Names of
builds reach a shell as variables, never as a part of its text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from mmlock.core.errors import UsageError
from mmlock.core.farm_arguments import ExportKind
from mmlock.farm.plan import FarmPlan, FarmPlanBuild

__all__ = ["as_pipeline"]

PLAN = "farm-plan.json"
"""Where the pipelines look for the plan, in the repository."""
_WHEELHOUSE = "wheelhouse"
_SITE = "site"
_PYTHON = "3.12"
"""Runs mmlock; each build gets the Python of its wheel from uv."""
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_MOST_JOBS = 256
"""Of one matrix: GitHub's limit, https://docs.github.com/actions/reference/limits."""
_RUN = f'mmlock farm run {PLAN} --only "$BUILD" --wheelhouse {_WHEELHOUSE}'
_PUBLISH = f"mmlock farm publish {_SITE} --wheelhouse {_WHEELHOUSE}"
_HOURS = 6
"""Longest job on a runner of GitHub's own."""


def as_pipeline(plan: FarmPlan, kind: ExportKind) -> str:
    """The pipeline as YAML. Raises UsageError for a plan that it cannot hold."""
    names = [one.name for one in plan.builds]
    if bad := [name for name in names if not _SAFE.fullmatch(name)]:
        raise UsageError(f"`{bad[0][:80]}` cannot be the name of a job")
    if not names:
        raise UsageError("the plan has no builds", hints=["every target has wheels, or none can be built"])
    make: Mapping[ExportKind, Callable[[FarmPlan], str]] = {
        ExportKind.GITHUB: _github,
        ExportKind.GITLAB: _gitlab,
        ExportKind.KUBERNETES: _kubernetes,
    }
    return make[kind](plan)


def _yaml(*documents: Mapping[str, Any]) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Repeats values in full: pipelines read by people have no anchors."""

        def ignore_aliases(self, data: Any) -> bool:
            del data
            return True

    note = (
        "# Made by `mmlock farm plan --export`; the plan is expected at "
        f"{PLAN}. Make it again instead of editing it.\n"
    )
    text = yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, width=110, explicit_start=False)
    return note + str(text)


# ---------------------------------------------------------------- GitHub


def _github(plan: FarmPlan) -> str:
    if len(plan.builds) > _MOST_JOBS:
        raise UsageError(
            f"a workflow holds {_MOST_JOBS} jobs of one matrix, and the plan has {len(plan.builds)} builds",
            hints=[f"plan fewer: `--most {_MOST_JOBS}`"],
        )
    wheels = f"{_WHEELHOUSE}/wheels"
    build = {
        "runs-on": "ubuntu-latest",
        "timeout-minutes": _HOURS * 60,
        "permissions": {"contents": "read"},
        "strategy": {"fail-fast": False, "matrix": {"build": [one.name for one in plan.builds]}},
        "steps": [
            {"uses": "actions/checkout@v4", "with": {"persist-credentials": False}},
            {"uses": "actions/setup-python@v5", "with": {"python-version": _PYTHON}},
            {"run": "python -m pip install mmlock"},
            {"run": _RUN, "env": {"BUILD": "${{ matrix.build }}"}},
            {
                "uses": "actions/upload-artifact@v4",
                "with": {
                    "name": "${{ matrix.build }}",
                    "path": wheels,
                    "if-no-files-found": "error",
                },
            },
        ],
    }
    return _yaml(
        {
            "name": "Wheel farm",
            "on": {"workflow_dispatch": {}, "push": {"paths": [PLAN]}},
            "permissions": {},
            "concurrency": {"group": "wheel-farm", "cancel-in-progress": False},
            "jobs": {"build": build, "publish": _github_pages(wheels)},
        }
    )


def _github_pages(wheels: str) -> Mapping[str, Any]:
    """The job that offers what was built."""
    return {
        "runs-on": "ubuntu-latest",
        "timeout-minutes": 30,
        "needs": "build",
        "if": "${{ !cancelled() }}",  # the wheels that were made are offered though another build failed
        "permissions": {"contents": "read", "pages": "write", "id-token": "write"},
        "environment": {"name": "github-pages"},
        "steps": [
            {"uses": "actions/setup-python@v5", "with": {"python-version": _PYTHON}},
            {"run": "python -m pip install mmlock"},
            {
                "uses": "actions/download-artifact@v4",
                "with": {"path": wheels, "merge-multiple": True},
            },
            {"run": _PUBLISH},
            {"uses": "actions/upload-pages-artifact@v3", "with": {"path": _SITE}},
            {"uses": "actions/deploy-pages@v4"},
        ],
    }


# ---------------------------------------------------------------- GitLab


def _gitlab(plan: FarmPlan) -> str:
    image = f"python:{_PYTHON}"
    before = ["pip install mmlock"]
    return _yaml(
        {
            "stages": ["build", "publish"],
            "build": {
                "stage": "build",
                "image": image,
                "timeout": f"{_HOURS} hours",
                "parallel": {"matrix": [{"BUILD": [one.name for one in plan.builds]}]},
                "before_script": ["apt-get update -qq && apt-get install -qqy g++ ninja-build", *before],
                "script": [_RUN],
                "artifacts": {"paths": [f"{_WHEELHOUSE}/wheels"], "expire_in": "1 week"},
            },
            "pages": {
                "stage": "publish",
                "image": image,
                "before_script": before,
                "script": [_PUBLISH, f"mv {_SITE} public"],
                "artifacts": {"paths": ["public"]},
                "rules": [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}],
            },
        }
    )


# ---------------------------------------------------------------- Kubernetes


def _kubernetes(plan: FarmPlan) -> str:
    """A ConfigMap with the plan and a Job for each build; the wheelhouse is a claim that they share."""
    held = json.dumps(_plain(plan), sort_keys=True)
    return _yaml(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "mmlock-farm-plan", "labels": {"app": "mmlock-farm"}},
            "data": {PLAN: held},
        },
        *(_job(one) for one in plan.builds),
    )


def _plain(plan: FarmPlan) -> Any:
    import msgspec

    return msgspec.to_builtins(plan)


def _job(one: FarmPlanBuild) -> Mapping[str, Any]:
    work = "/work"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": _label(one.name),
            "labels": {"app": "mmlock-farm"},
            "annotations": {"mmlock/build": one.name},
        },
        "spec": {
            "backoffLimit": 1,
            "activeDeadlineSeconds": _HOURS * 3600,
            "ttlSecondsAfterFinished": 7 * 24 * 3600,
            "template": {
                "metadata": {"labels": {"app": "mmlock-farm"}},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 10001,
                        "fsGroup": 10001,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container(one.name, work)],
                    "volumes": [
                        {"name": "plan", "configMap": {"name": "mmlock-farm-plan"}},
                        {"name": "wheelhouse", "persistentVolumeClaim": {"claimName": "mmlock-wheelhouse"}},
                        {"name": "work", "emptyDir": {}},
                    ],
                },
            },
        },
    }


def _container(name: str, work: str) -> Mapping[str, Any]:
    command = ["mmlock", "farm", "run", f"/plan/{PLAN}", "--only", name, "--wheelhouse", "/wheelhouse"]
    return {
        "name": "build",
        "image": "mmlock:latest",
        "command": command,
        "env": [{"name": "MMLOCK_CACHE_DIR", "value": f"{work}/cache"}],
        "resources": {
            "requests": {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "20Gi"},
            "limits": {"memory": "16Gi"},
        },
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [
            {"name": "plan", "mountPath": "/plan", "readOnly": True},
            {"name": "wheelhouse", "mountPath": "/wheelhouse"},
            {"name": "work", "mountPath": work},
        ],
    }


def _label(name: str) -> str:
    """A DNS label (RFC 1123, 63 characters): the start of the name, and a digest that keeps it apart."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    start = re.sub(r"[^a-z0-9]+", "-", name.lower())[:45].strip("-")
    return f"farm-{start}-{digest}"
