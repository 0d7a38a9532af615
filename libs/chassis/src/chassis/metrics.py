"""Every metric of the suite, declared once; ages beside counts, since an age is what a supervisor understands.

Kept as plain numbers in the process (the hot path pays an addition) and served as Prometheus text at /metrics.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse


class Metric(NamedTuple):
    """One metric: its kind, its label (or ''), what it says."""

    kind: Literal["counter", "gauge"]
    label: str
    help: str


METRICS: Final = {
    "lianshen_records_total": Metric("counter", "", "Records applied"),
    "lianshen_batches_total": Metric("counter", "", "Transactions that applied a batch"),
    "lianshen_batch_seconds_total": Metric("counter", "", "Seconds spent applying batches"),
    "lianshen_dead_letters_total": Metric("counter", "reason", "Records nobody could understand"),
    "lianshen_parked_total": Metric("counter", "", "Records put aside to wait"),
    "lianshen_relay_messages_total": Metric("counter", "", "Messages acknowledged by Kafka"),
    "lianshen_outbox_oldest_seconds": Metric("gauge", "", "Age of the oldest outbox row left by a crash"),
    "lianshen_refusals_total": Metric("counter", "code", "Refusals by situation"),
    "lianshen_oldest_unfired_deadline_seconds": Metric("gauge", "", "Lateness of the oldest deadline not yet fired"),
    "lianshen_clocks_fired_total": Metric("counter", "", "Deadlines fired"),
    "lianshen_http_requests_total": Metric("counter", "status", "HTTP requests answered"),
    "lianshen_fired_late_seconds_total": Metric("counter", "", "Seconds by which deadlines fired late, summed"),
    "lianshen_fired_latest_seconds": Metric("gauge", "", "Lateness of the latest deadline of the last batch fired"),
    "lianshen_audit_gaps": Metric("gauge", "", "Projects and ledgers whose records lack what an audit root closed"),
    "lianshen_reconciled_clocks": Metric("gauge", "", "Clocks compared with the topics by the last reconciliation"),
    "lianshen_reconciliation_differences": Metric("gauge", "kind", "Clocks that differ from the topics"),
}

_values: defaultdict[tuple[str, str], float] = defaultdict(float)


def add(name: str, amount: float = 1.0, label: str = "") -> None:
    """Add to a counter."""
    _values[name, label] += amount


def put(name: str, value: float, label: str = "") -> None:
    """Set a gauge."""
    _values[name, label] = value


def batch_applied(records: int, seconds: float) -> None:
    """Count one applied batch."""
    add("lianshen_records_total", records)
    add("lianshen_batches_total")
    add("lianshen_batch_seconds_total", seconds)


def dead_letter(reason: str) -> None:
    """Count one dead letter."""
    add("lianshen_dead_letters_total", label=reason)


def parked(count: int) -> None:
    """Count parked records."""
    if count:
        add("lianshen_parked_total", count)


def relay_sent(count: int) -> None:
    """Count messages that Kafka acknowledged."""
    add("lianshen_relay_messages_total", count)


def outbox_age(seconds: float) -> None:
    """Tell the age of the oldest outbox row that memory does not know."""
    put("lianshen_outbox_oldest_seconds", seconds)


def refused(code: str) -> None:
    """Count one refusal."""
    add("lianshen_refusals_total", label=code)


def held(name: str) -> dict[str, float]:
    """Return the values of one metric by label; '' is the label of a metric that has none."""
    return {label: value for (of, label), value in _values.items() if of == name}


def text() -> str:
    """Return every metric in Prometheus's text format."""
    lines: list[str] = []
    for name, metric in METRICS.items():
        lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
        for label, value in sorted((held(name) or ({"": 0.0} if not metric.label else {})).items()):
            lines.append(f"{name}{_labels(metric.label, label)} {value:g}")
    return "\n".join(lines) + "\n"


def _labels(name: str, value: str) -> str:
    return f'{{{name}="{value}"}}' if name else ""


def router(read: Callable[[], str] = text) -> APIRouter:
    """Return the route that serves them."""
    metrics = APIRouter(include_in_schema=False)

    @metrics.get("/metrics", response_class=PlainTextResponse)
    async def read_metrics() -> str:
        return read()

    return metrics
