"""Requests are traced by their routes, and nothing of what was asked is in it that is not in the address."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from web_site import Client, Make

from mmlock.web.app import make_app
from mmlock.web.telemetry import traced


@pytest.mark.slow
def test_a_request_is_a_span_named_by_its_route(make_site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")
    app = make_app(make_site().service)
    spans = InMemorySpanExporter()
    with traced(app, spans):
        client = Client(app)
        for path in ("/gpus/a100", "/gpus/h100", "/healthz", "/metrics"):
            assert client.get(path, headers={"Authorization": "Bearer secret"}).status_code in {200, 401}
        client.close()
    found = spans.get_finished_spans()
    assert [span.name for span in found] == ["GET /gpus/{name}"] * 2
    resource = found[0].resource.attributes
    assert resource["service.name"] == "mmlock"
    assert resource["deployment.environment.name"] == "lab"
    assert "secret" not in "".join(span.to_json() for span in found)


@pytest.mark.slow
def test_the_name_of_the_service_is_the_operators(make_site: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "locks-of-the-lab")
    app = make_app(make_site().service)
    spans = InMemorySpanExporter()
    with traced(app, spans):
        client = Client(app)
        client.get("/gpus")
        client.close()
    (span,) = spans.get_finished_spans()
    assert span.resource.attributes["service.name"] == "locks-of-the-lab"
