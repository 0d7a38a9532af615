"""Traces: one span per batch, linked to what its messages travelled with; free of cost until an endpoint is set."""

import contextlib
import secrets
from collections.abc import Generator, Sequence
from typing import Any

from chassis.settings import Settings
from contracts.envelope import header

_tracer: Any = None
LINKS_KEPT = 64


def configure(settings: Settings, exporter: Any = None) -> None:
    """Start exporting when an endpoint is set (or an exporter handed in); the SDK is not even imported otherwise."""
    global _tracer
    if not settings.otel_exporter_otlp_endpoint and exporter is None:
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": settings.service_name}))
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("lianshen")


@contextlib.contextmanager
def batch_span(operation: str, records: Sequence[Any]) -> Generator[None, None, None]:
    """One span around a batch, by the messaging conventions, with links to its messages' traces."""
    if _tracer is None:
        yield
        return
    attributes = {
        "messaging.system": "kafka",
        "messaging.operation.type": operation,
        "messaging.batch.message_count": len(records),
    }
    with _tracer.start_as_current_span(f"{operation} batch", links=_links(records), attributes=attributes):
        yield


def _links(records: Sequence[Any]) -> list[Any]:
    from opentelemetry.trace import Link, get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    traces = dict.fromkeys(filter(None, (header(record.headers, "traceparent") for record in records[:LINKS_KEPT])))
    contexts = (get_current_span(propagator.extract({"traceparent": one})).get_span_context() for one in traces)
    return [Link(context) for context in contexts if context.is_valid]


def new_traceparent(given: str = "") -> str:
    """Return `given`, or the start of a new trace: an act from outside begins a story that can be followed."""
    return given or f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
