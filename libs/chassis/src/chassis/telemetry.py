"""Traces and metrics over OpenTelemetry; free of cost until an endpoint is set.

One span per batch, linked to what its messages travelled with; every metric of `chassis.metrics`, read on export.
"""

import contextlib
import secrets
from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

from chassis import metrics
from chassis.settings import Settings
from contracts.envelope import header

_tracer: Any = None
_providers: list[Any] = []
LINKS_KEPT = 64


def configure(settings: Settings, spans: Any = None, reader: Any = None) -> None:
    """Start exporting when an endpoint is set, or to the span exporter and the metric reader handed in.

    The SDK is not even imported otherwise.
    """
    if settings.otel_exporter_otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        spans, reader = OTLPSpanExporter(), PeriodicExportingMetricReader(OTLPMetricExporter())
    if spans is not None:
        _export_spans(settings.service_name, spans)
    if reader is not None:
        _export_metrics(settings.service_name, reader)


def _export_spans(service: str, exporter: Any) -> None:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    global _tracer
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _providers.append(provider)
    _tracer = provider.get_tracer("lianshen")


def _export_metrics(service: str, reader: Any) -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource

    provider = MeterProvider([reader], Resource.create({"service.name": service}))
    _providers.append(provider)
    meter = provider.get_meter("lianshen")
    for name, metric in metrics.METRICS.items():
        make = meter.create_observable_counter if metric.kind == "counter" else meter.create_observable_gauge
        make(name, [partial(_observed, name, metric.label)], description=metric.help)


def _observed(name: str, label: str, options: Any) -> list[Any]:
    from opentelemetry.metrics import Observation

    return [Observation(value, {label: of} if of else {}) for of, value in metrics.held(name).items()]


def flush() -> None:
    """Send what has not been exported yet. Blocking, a few seconds at most."""
    for provider in _providers:
        provider.force_flush(3_000)


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
