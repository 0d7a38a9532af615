"""The small parts of the machinery."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiokafka import TopicPartition
from faststream.kafka import TestKafkaBroker
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import kafka, logging, metrics, positions, telemetry, wallclock
from chassis.bus import Bus
from chassis.parking import Raw
from chassis.settings import Settings
from contracts import topics
from contracts.envelope import decode, encode
from contracts.intake import ProjectRegistered
from local.samples import sample

NEEDED = {"SERVICE_NAME": "x", "KAFKA_BOOTSTRAP_SERVERS": "k:1", "DATABASE_URL": "postgresql://u@h/d"}


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    held = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **environment}
    return subprocess.run([sys.executable, "-c", code], env=held, capture_output=True, text=True, timeout=60)


def settings(**given: str) -> Settings:
    held = {name.lower(): value for name, value in NEEDED.items()}
    return Settings(**held | given)  # pyright: ignore[reportArgumentType]


LOAD = "from chassis.settings import Settings, load; load(Settings); print('loaded')"


def test_a_wrong_setting_ends_the_start_with_the_variables_name() -> None:
    assert python(LOAD, **NEEDED).stdout == "loaded\n"
    for name, value in (("DATABASE_POOL", "many"), ("HTTP_PORT", "0"), ("LOG_LEVEL", "LOUD"), ("DATABASE_URL", None)):
        given = {**NEEDED, **({} if value is None else {name: value})}
        if value is None:
            del given[name]
        told = python(LOAD, **given)
        assert told.returncode == 2 and name in told.stderr and "Traceback" not in told.stderr


def test_production_refuses_a_compressed_clock() -> None:
    told = python(
        LOAD, **NEEDED, WALLCLOCK="affine:2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,2", ENVIRONMENT="production"
    )
    assert told.returncode == 2 and "WALLCLOCK" in told.stderr


def test_a_secret_never_reaches_a_log() -> None:
    entry: dict[str, Any] = {
        "event": "登录",
        "pin": "1234",
        "Authorization": "Bearer x",
        "kafka_sasl_password": "p",
        "inner": {"private_key": "k", "name": "张三"},
        "spin": 3,
    }
    told = logging.redacted(None, "info", entry)
    assert told == {
        "event": "登录",
        "pin": "***",
        "Authorization": "***",
        "kafka_sasl_password": "***",
        "inner": {"private_key": "***", "name": "张三"},
        "spin": 3,
    }


def test_the_sdk_of_telemetry_is_not_even_loaded_without_an_endpoint() -> None:
    code = "import sys, chassis.service, intake.app; print('opentelemetry.sdk' in sys.modules)"
    assert python(code).stdout == "False\n"


def record(traceparent: str) -> Raw:
    return Raw("t", 0, 0, 0, b"k", b"{}", [("traceparent", traceparent.encode())])


def test_one_span_a_batch_linked_to_what_its_messages_travelled_with(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(telemetry, "_tracer", None)
    monkeypatch.setattr(telemetry, "_providers", [])
    telemetry.configure(settings(), spans=exporter)
    traces = [f"00-{number:032x}-{1:016x}-01" for number in (1, 2, 2, 3)]
    with telemetry.batch_span("process", [record(one) for one in traces]):
        pass
    telemetry.flush()
    (span,) = exporter.get_finished_spans()
    assert span.name == "process batch"
    assert span.attributes is not None and span.attributes["messaging.batch.message_count"] == 4
    assert sorted(link.context.trace_id for link in span.links) == [1, 2, 3]


def test_every_metric_is_exported_with_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    monkeypatch.setattr(telemetry, "_providers", [])
    telemetry.configure(settings(), reader=reader)
    metrics.batch_applied(7, 0.1)
    metrics.refused("TOO_LATE")
    exported = {
        metric.name: {str(dict(point.attributes or {})): point.value for point in metric.data.data_points}  # pyright: ignore
        for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics  # pyright: ignore
    }
    assert exported["lianshen_records_total"]["{}"] == metrics.held("lianshen_records_total")[""] >= 7
    assert exported["lianshen_refusals_total"]["{'code': 'TOO_LATE'}"] >= 1


def test_with_an_endpoint_set_traces_and_metrics_are_sent_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setattr(telemetry, "_tracer", None)
    monkeypatch.setattr(telemetry, "_providers", [])
    telemetry.configure(settings(otel_exporter_otlp_endpoint=endpoint))
    with telemetry.batch_span("process", [record("")]):
        pass
    telemetry.flush()
    for provider in telemetry._providers:  # pyright: ignore[reportPrivateUsage]
        provider.shutdown()
    server.shutdown()
    server.server_close()
    assert {"/v1/traces", "/v1/metrics"} <= set(asked)


class Caught(Bus):
    """A bus that keeps what it is handed."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    async def consume(self, records: Any) -> None:
        self.records.extend(records)


async def test_the_in_memory_broker_hands_records_to_the_bus_as_they_came() -> None:
    bus = Caught()
    broker = kafka.make_broker(settings())
    kafka.subscribe(broker, bus, [topics.PROJECTS.name], settings(), lambda: None)
    said = encode(sample(ProjectRegistered), topics.PROJECTS.name, "intake")
    async with TestKafkaBroker(broker) as memory:
        await memory.publish(
            said.value.encode(),
            said.topic,
            key=said.key.encode(),
            headers={name: value.decode() for name, value in said.headers},
        )
    (caught,) = bus.records
    assert decode(caught.value, caught.headers, caught.key, topics.PROJECTS.known) == sample(ProjectRegistered)


def test_metrics_are_prometheus_text() -> None:
    metrics.refused("TOO_LATE")
    metrics.put("lianshen_outbox_oldest_seconds", 1.5)
    lines = metrics.text().splitlines()
    assert any(line.startswith('lianshen_refusals_total{code="TOO_LATE"} ') for line in lines)
    assert "lianshen_outbox_oldest_seconds 1.5" in lines
    assert len([line for line in lines if line.startswith("# TYPE")]) == len(metrics.METRICS)


def test_compressed_time_agrees_with_a_brokers_append_time() -> None:
    clock = wallclock.parsed("affine:2026-03-01T00:00:00+00:00,2026-03-02T01:00:00+00:00,3600")
    at = datetime(2026, 3, 1, 0, 0, 2, tzinfo=UTC)
    assert clock.business(int(at.timestamp() * 1000)) == datetime(2026, 3, 2, 3, tzinfo=UTC)
    real = clock.seconds_until(clock.now() + timedelta(hours=1))
    assert real == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("position", "reason"), [(5, ""), (0, ""), (10, ""), (11, "beyond its end"), (2, "deleted unread")]
)
def test_a_topic_made_anew_and_records_deleted_unread_stop_the_reading(position: int, reason: str) -> None:
    tp = TopicPartition("t", 0)
    told = positions.stale({tp: position}, {tp: 3}, {tp: 10})
    assert (reason in told) if reason else told == ""
