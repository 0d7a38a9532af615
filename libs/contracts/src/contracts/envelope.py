"""One envelope for everything said on the bus: CloudEvents 1.0 in binary mode.

The attributes travel as Kafka headers, the value is plain JSON in UTF-8 with Chinese legible. Writers forbid unknown
fields, readers ignore them. A signature covers the raw bytes as received: keep them, never serialise anew to verify.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1
from typing import Annotated, Any, ClassVar, NamedTuple
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from contracts.codes import ProjectCode

NAMESPACE = UUID("6c0f1f0e-7f57-5a2c-9a53-0a1780201812")
"""The namespace of all derived ids; changing it would change the identity of every event ever said."""

_NAMESPACE = NAMESPACE.bytes

SCHEMA_BASE = "https://lianshen.dalian.example/schemas/v1/"
MAX_VALUE_BYTES = 512 * 1024

_SAFE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{fffe}\x{ffff}]*$"
ILLEGIBLE = "文字中含有不可见的控制字符或残缺字符"


class _Legible:
    """Holds a text to what a person can read, without a line of Python: three or four stand in every event. A lone
    surrogate is no text at all to pydantic, and is refused before."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        legible = core_schema.custom_error_schema(
            core_schema.str_schema(pattern=_SAFE), custom_error_type="illegible", custom_error_message=ILLEGIBLE
        )
        return core_schema.chain_schema([handler(source), legible])

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema["steps"][0])  # pyright: ignore[reportGeneralTypeIssues, reportTypedDictNotRequiredAccess]


EARLIEST, FIRST_BEYOND = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
NO_INSTANT = "应为 2000 年至 2199 年之间带时区的时间，如 2026-03-02T09:30:00+08:00"


def _to_utc(at: datetime) -> datetime:
    try:
        moved = at.astimezone(UTC)
    except OverflowError:
        raise ValueError(NO_INSTANT) from None
    if not EARLIEST <= moved < FIRST_BEYOND:
        raise ValueError(NO_INSTANT)
    return moved


class _InUtc:
    """What is UTC already, as all that the suite says is, is held to its bounds without a line of Python: two or three
    instants stand in every event, and checking them took a third of the time of reading it."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        utc = core_schema.datetime_schema(tz_constraint=0, ge=EARLIEST, lt=FIRST_BEYOND)
        other = core_schema.datetime_schema(tz_constraint="aware")
        return core_schema.union_schema(
            [
                utc,
                core_schema.no_info_after_validator_function(_to_utc, other),
            ],
            mode="left_to_right",
            custom_error_type="instant",
            custom_error_message=NO_INSTANT,
            serialization=core_schema.simple_ser_schema("datetime"),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time"}


Instant = Annotated[datetime, _InUtc]
"""An aware instant of the years 2000 to 2199, always UTC in memory and on the wire."""
Line = Annotated[str, StringConstraints(min_length=1, max_length=200), _Legible]
"""One line of text that a person reads: at most 200 characters, no control characters, no broken surrogates."""
Text = Annotated[str, StringConstraints(max_length=4000), _Legible]
"""A passage of text that a person reads: at most 4000 characters."""
Version = Annotated[int, Field(ge=1)]
Days = Annotated[int, Field(ge=0, le=3660)]


class Said(BaseModel):
    """Anything that is said: immutable, no unknown fields, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Event(Said):
    """What every event carries.

    `event_id` is derived from cause and content wherever the event follows from another one, so a repeat is the same
    event. `causation_id` is the event (or request) that led to it. `occurred_at` is a UTC instant.
    """

    event_id: UUID
    causation_id: UUID
    occurred_at: Instant

    KEY_FIELD: ClassVar[str] = "project_code"

    @property
    def key(self) -> str:
        """The Kafka key: what this event's order is kept by."""
        return str(getattr(self, self.KEY_FIELD))


class ProjectEvent(Event):
    """An event in the story of one project."""

    project_code: ProjectCode

    @property
    def key(self) -> str:
        return self.project_code


def derived_id(*parts: object) -> UUID:
    """Return the id that follows from `parts` (UUIDv5): the same parts give the same id, on every machine."""
    digest = sha1(_NAMESPACE + "\x1f".join(map(str, parts)).encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


def derived_text(*parts: str) -> str:
    """Return `str(derived_id(*parts))` in a third of the time, for who says very much at once."""
    digits = sha1(_NAMESPACE + "\x1f".join(parts).encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class Unreadable(ValueError):
    """A message that cannot be understood; `reason` is a stable word, `detail` tells an operator where it broke."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Encoded(NamedTuple):
    """One message ready to be sent: where to, by which key, what its headers follow from, and its value."""

    topic: str
    key: str
    kind: str
    id: str
    source: str
    time: str
    traceparent: str
    value: str

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """The CloudEvents attributes, as Kafka headers."""
        first, second = _of_speaker(self.kind, self.source)
        named = [("ce_id", self.id.encode()), ("ce_subject", self.key.encode()), ("ce_time", self.time.encode())]
        traced = [("traceparent", self.traceparent.encode())] if self.traceparent else []
        return [*first, *named, *second, *traced]


@lru_cache(1024)
def _of_speaker(kind: str, source: str) -> tuple[tuple[tuple[str, bytes], ...], tuple[tuple[str, bytes], ...]]:
    """The headers that all events of a kind from one speaker share."""
    first = (("ce_specversion", b"1.0"), ("ce_type", kind.encode()), ("ce_source", source.encode()))
    schema = f"{SCHEMA_BASE}{kind}.json".encode()
    return first, (("ce_dataschema", schema), ("content-type", b"application/json"))


def encode(event: Event, topic: str, source: str, traceparent: str = "") -> Encoded:
    """Return `event` as a CloudEvents message in binary mode for `topic`."""
    kind, event_id, time = type(event).__name__, str(event.event_id), event.occurred_at.isoformat()
    return Encoded(topic, event.key, kind, event_id, source, time, traceparent, event.model_dump_json())


def header(headers: Sequence[tuple[str, bytes]], name: str) -> str | None:
    """Return the last header called `name` as text, or None."""
    for held, value in reversed(headers):
        if held == name:
            return value.decode("utf-8", "replace")
    return None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def decode(
    value: bytes | None,
    headers: Iterable[tuple[str, bytes]],
    key: bytes | None,
    known: Mapping[str, type[Event] | None],
) -> Event | None:
    """Return the event in a record, or None when its type is none of the reader's business.

    `known` maps every type that may stand on the topic to its model, or to None when the reader passes it over
    unread. Raises Unreadable when the record lacks its
    headers, names a type the topic does not carry, is oversized, is not JSON, breaks its schema, or stands under a key
    or id that its content contradicts.
    """
    held = dict(headers)
    kind = _text(held.get("ce_type"))
    if kind is None:
        raise Unreadable("missing-header", "ce_type")
    if kind not in known:
        raise Unreadable("unknown-type", kind[:100])
    model = known[kind]
    if model is None:
        return None
    if value is None or len(value) > MAX_VALUE_BYTES:
        raise Unreadable("no-value" if value is None else "oversized", f"{0 if value is None else len(value)} bytes")
    event = _parse(model, value)
    _hold_to_envelope(event, key, _text(held.get("ce_id")))
    return event


def _parse(model: type[Event], value: bytes) -> Event:
    try:
        return model.model_validate_json(value, extra="ignore")
    except ValidationError as error:
        raise Unreadable("wrong-schema", _first_complaint(error)) from None


def _first_complaint(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]


def _hold_to_envelope(event: Event, key: bytes | None, event_id: str | None) -> None:
    if key is None or key.decode("utf-8", "replace") != event.key:
        raise Unreadable("wrong-key", f"{key!r} is not {event.key}"[:200])
    if event_id is None or event_id.replace("-", "") != event.event_id.hex:
        raise Unreadable("wrong-id", f"ce_id {event_id} is not {event.event_id}"[:200])
