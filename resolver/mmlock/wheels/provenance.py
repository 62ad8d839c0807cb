"""How a wheel was made, as statements others can read: in-toto/SLSA provenance and a CycloneDX bill."""

from __future__ import annotations

import hashlib
import json
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from mmlock import __version__
from mmlock.core.artifact import Artifact
from mmlock.core.extension import SourceTree
from mmlock.net.credentials import bare
from mmlock.wheels.model import BuildPlan, Compiler, Pin, WheelTest
from mmlock.wheels.wheel_file import WheelFacts

BUILD_TYPE = "urn:mmlock:build:v1"
BUILDER = "urn:mmlock:builder:local"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://slsa.dev/provenance/v1"


class Made(Struct, frozen=True, kw_only=True):
    """A build that ran: all that is known of it without its wheel."""

    plan: BuildPlan
    key: str
    inputs: Mapping[str, Any]
    """What the key is made of."""
    pins: Sequence[Pin]
    """Everything in the build environment."""
    compiler: Compiler | None
    network: str
    """Whether the compile could use the network: `off`, `allowed`, `not blocked`."""


def provenance(
    made: Made,
    subjects: Sequence[Mapping[str, Any]],
    *,
    checks: Sequence[WheelTest] = (),
    moments: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """An in-toto statement with an SLSA v1 predicate.

    Without `moments` (start and end) it says nothing that differs between two runs of the same build.
    """
    metadata: dict[str, Any] = {"invocationId": made.key}
    if moments:
        metadata |= {"startedOn": moments[0], "finishedOn": moments[1]}
    return {
        "_type": _STATEMENT,
        "subject": list(subjects),
        "predicateType": _PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _asked(made.plan),
                "internalParameters": _surroundings(made),
                "resolvedDependencies": [
                    _resource(made.plan.step.source),
                    *(_resource(pin.file) for pin in made.pins),
                ],
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"mmlock": __version__}},
                "metadata": metadata,
                "byproducts": [_byproduct(check) for check in checks],
            },
        },
    }


def _asked(plan: BuildPlan) -> dict[str, Any]:
    """What the lock asked for."""
    step = plan.step
    return {
        "package": step.package,
        "version": step.version,
        "recipe": step.recipe,
        "torch": plan.torch,
        "python": plan.python,
        "platform": plan.platform.value,
        "archs": list(plan.archs),
        "environment": dict(sorted(step.env.items())),
        "patches": [
            {"id": p.id, "file": p.file, "find": p.find, "replace": p.replace, "reason": p.reason}
            for p in step.patches
        ],
        "compiledAsOne": [{"file": group.file, "parts": list(group.parts)} for group in step.groups],
    }


def _surroundings(made: Made) -> dict[str, Any]:
    """What the machine added."""
    toolchain = made.plan.step.toolchain
    return {
        "key": made.key,
        "inputs": dict(made.inputs),
        "compiler": made.compiler.identity if made.compiler else None,
        "machine": made.compiler.machine if made.compiler else None,
        "toolchain": toolchain.name,
        "hermeticToolchain": toolchain.lockable,
        "networkDuringCompile": made.network,
    }


def _byproduct(check: WheelTest) -> dict[str, Any]:
    about = {"check": check.name, "status": check.status.value, "detail": check.detail}
    return {"name": "check", "annotations": about}


def _resource(file: Artifact | SourceTree) -> dict[str, Any]:
    if isinstance(file, SourceTree):
        # The digest is over names and contents, as `sha256sum` of the files lists them.
        return {"name": file.path, "digest": {"sha256": file.sha256}, "annotations": {"files": file.files}}
    return {
        "name": file.name,
        # A path of the builder's disk tells nobody anything; the digest identifies the file.
        **({"uri": bare(file.url)} if file.url.startswith("http") else {}),
        "digest": {"sha256": file.sha256},
    }


def content_subjects(facts: WheelFacts) -> list[dict[str, Any]]:
    """The compiled files of a wheel with their digests: what a statement *inside* the wheel can be about."""
    names = facts.libraries or tuple(n for n in facts.members if ".dist-info/" not in n)
    with zipfile.ZipFile(facts.path) as archive:
        return [
            {"name": name, "digest": {"sha256": hashlib.sha256(archive.read(name)).hexdigest()}}
            for name in sorted(names)
        ]


def bill_of_materials(made: Made, version: str) -> dict[str, Any]:
    """A CycloneDX 1.6 document: the wheel, the sources in it, and what made it."""
    step = made.plan.step
    own = f"pkg:pypi/{step.package}@{version}"
    wheel = {"type": "library", "bom-ref": own, "name": step.package, "version": version, "purl": own}
    sources = _sources(made.plan)
    tools = [_tool(pin) for pin in made.pins]
    if made.compiler is not None:
        name = made.compiler.identity
        tools.append({"type": "application", "bom-ref": "compiler", "name": name, "scope": "excluded"})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{own}#{made.key}')}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "mmlock", "version": __version__}]},
            "component": wheel,
        },
        "components": [sources, *tools],
        "dependencies": [{"ref": own, "dependsOn": [sources["bom-ref"]]}],
    }


def _sources(plan: BuildPlan) -> dict[str, Any]:
    step, source = plan.step, plan.step.source
    about = {
        "type": "library",
        "bom-ref": f"sources:{source.sha256}",
        "name": step.package,
        "version": step.version,
        "hashes": [{"alg": "SHA-256", "content": source.sha256}],
        "pedigree": {"patches": [_patch(p.id, p.reason) for p in step.patches]},
    }
    if isinstance(source, SourceTree):
        tree = [{"name": "mmlock:tree", "value": source.path}]
        return about | {"purl": f"pkg:generic/{step.package}@{step.version}", "properties": tree}
    return about | {
        "purl": f"pkg:pypi/{step.package}@{step.version}?file_name={source.name}",
        "externalReferences": [{"type": "source-distribution", "url": bare(source.url)}],
    }


def _tool(pin: Pin) -> dict[str, Any]:
    """Something that was there during the build and is not in the wheel."""
    return {
        "type": "application" if pin.name != "torch" else "framework",
        "bom-ref": f"pkg:pypi/{pin.name}@{pin.version}",
        "name": pin.name,
        "version": pin.version,
        "purl": f"pkg:pypi/{pin.name}@{pin.version}",
        "hashes": [{"alg": "SHA-256", "content": pin.file.sha256}],
        "scope": "excluded",
    }


def _patch(identity: str, reason: str) -> dict[str, Any]:
    return {"type": "unofficial", "resolves": [{"type": "defect", "id": identity, "description": reason}]}


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """A document as bytes that are the same on every run."""
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
