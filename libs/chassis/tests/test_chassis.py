"""The small parts of the machinery."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import logging, metrics, positions, telemetry, wallclock
from chassis.parking import Raw
from chassis.settings import Settings

NEEDED = {"SERVICE_NAME": "x", "KAFKA_BOOTSTRAP_SERVERS": "k:1", "DATABASE_URL": "postgresql://u@h/d"}


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    held = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **environment}
    return subprocess.run([sys.executable, "-c", code], env=held, capture_output=True, text=True, timeout=60)


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
    settings = Settings(**{name.lower(): value for name, value in NEEDED.items()})  # pyright: ignore[reportArgumentType]
    telemetry.configure(settings, exporter)
    traces = [f"00-{number:032x}-{1:016x}-01" for number in (1, 2, 2, 3)]
    with telemetry.batch_span("process", [record(one) for one in traces]):
        pass
    (span,) = exporter.get_finished_spans()
    assert span.name == "process batch"
    assert span.attributes is not None and span.attributes["messaging.batch.message_count"] == 4
    assert sorted(link.context.trace_id for link in span.links) == [1, 2, 3]


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
