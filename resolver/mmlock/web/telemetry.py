"""Traces of requests, for OpenTelemetry: an extra, off unless `telemetry` is set.

Where they go and under which name is said as everywhere: by `OTEL_EXPORTER_OTLP_ENDPOINT`,
`OTEL_SERVICE_NAME` and the other variables of OpenTelemetry.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mmlock import __version__
from mmlock.core.errors import EnvironmentFault

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["EXTRA", "traced"]

EXTRA = "mmlock[otel]"
_SILENT = "/healthz$,/readyz$,/metrics$,/static/"
"""What machines ask all day."""


@contextmanager
def traced(app: FastAPI, exporter: SpanExporter | None = None) -> Iterator[None]:
    """Trace the requests of an application, by its routes; what is left is sent at the end.

    `exporter`: None is OTLP over HTTP. Raises EnvironmentFault where the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.metrics import NoOpMeterProvider
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise EnvironmentFault(
            "`telemetry` needs packages that are not installed",
            causes=[str(error)],
            hints=[f"install them: `pip install '{EXTRA}'`"],
        ) from error
    about = _about()  # what the environment says counts for more
    provider = TracerProvider(resource=about, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=provider,
        meter_provider=NoOpMeterProvider(),  # `/metrics` has them
        excluded_urls=_SILENT,
        exclude_spans=["receive", "send"],
    )
    try:
        yield
    finally:
        FastAPIInstrumentor.uninstrument_app(app)
        provider.shutdown()


def _about() -> Resource:
    """What traces say of this service: its name and version, unless the environment says others."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    own = Resource({"service.name": "mmlock", "service.version": __version__})
    return own.merge(OTELResourceDetector().detect())
