"""A report as SARIF 2.1.0, for code hosts and editors. Pure.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"fails": "error", "risk": "warning", "note": "note"}
_MOST = 400
"""Of a quoted line; hosts show no more."""


def sarif(data: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The document for the plain values of a report."""
    results = list(_results(data))
    rules: dict[str, dict[str, Any]] = {}
    for result in results:
        rule = {"id": result["ruleId"], "shortDescription": {"text": result.pop("rule")}}
        rules.setdefault(result["ruleId"], rule)
    driver = {
        "name": "mmlock doctor",
        "version": version,
        "rules": [rules[name] for name in sorted(rules)],
    }
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
        "properties": {"wrong": bool(data.get("wrong"))},
    }


def _results(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    name = (data.get("text") or {}).get("name", "stdin")
    if cause := data.get("cause"):
        yield _of_text(cause, "error" if cause["kind"] == "environment" else "warning", name)
    for other in data.get("others", ()):
        yield _of_text(other, "note", name)
    environment = data.get("environment") or (data if "troubles" in data else {})
    for trouble in environment.get("troubles", ()):
        yield _of_environment(trouble, environment.get("prefix", ""))


def _of_text(one: Mapping[str, Any], level: str, name: str) -> dict[str, Any]:
    """One finding in a text: its lines are its place."""
    region = [
        {"startLine": line["number"], "snippet": {"text": line["text"][:_MOST]}} for line in one["lines"]
    ]
    return {
        "ruleId": one["symptom"],
        "rule": one["symptom"].replace("-", " "),
        "level": level,
        "message": {"text": " ".join((_sentence(one["title"]), *one["advice"]))},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": _uri(name)}, "region": place}}
            for place in region
        ],
        "properties": {
            "subject": one["subject"],
            "evidence": one["evidence"],
            "cause": one["cause"],
            "commands": one["commands"],
            "confidence": one["confidence"],
        },
    }


def _of_environment(trouble: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        "ruleId": f"environment-{trouble['check']}",
        "rule": f"environment: {trouble['check']}",
        "level": _LEVELS[trouble["severity"]],
        "message": {"text": " ".join((_sentence(trouble["title"]), *trouble["advice"]))},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(prefix)}}}],
        "properties": {"evidence": trouble["evidence"], "packages": trouble["packages"]},
    }


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path.replace("\\", "/"))
