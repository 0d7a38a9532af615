"""Logs as JSON on standard output: Chinese legible, Beijing time, secrets never."""

import logging
import sys
from collections.abc import MutableMapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
import structlog

from chassis.settings import Settings

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
SECRET: Final = ("password", "passwd", "pin", "secret", "token", "authorization", "cookie", "private_key")
REDACTED: Final = "***"


def configure(settings: Settings) -> None:
    """Send this process's logs, the libraries' too, through one pipe."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _beijing_time,
        structlog.processors.format_exc_info,
        _naming(settings.service_name),
        redacted,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def redacted(logger: Any, name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of whatever is called like a secret, at any depth."""
    for key, value in entry.items():
        entry[key] = _redacted(key, value)
    return entry


def _redacted(key: str, value: Any) -> Any:
    if any(part in SECRET for part in key.lower().replace("-", "_").split("_")) or key.lower() in SECRET:
        return REDACTED
    if isinstance(value, dict):
        return {inner: _redacted(str(inner), held) for inner, held in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return [_redacted("", held) for held in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def _beijing_time(logger: Any, name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    entry["time"] = datetime.now(SHANGHAI).isoformat(timespec="milliseconds")
    return entry


def _naming(service: str) -> Any:
    def name_service(logger: Any, name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry["service"] = service
        return entry

    return name_service


def _json(entry: Any, **_: Any) -> str:
    return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode("utf-8", "replace")
