"""Archived samples: one message of every event as it stood on a topic when its schema was made.

`./run schemas` adds the sample of an event that has none and never touches one that stands: what was said once has to
be read for ever.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from contracts.codes import (
    Code,
    CreditCode,
    DepartmentCode,
    ItemCode,
    JurisdictionCode,
    MaterialCode,
    ProjectCode,
    Sha256,
)
from contracts.envelope import Event, derived_id, encode
from contracts.topics import TOPICS, Topic, department_topics
from local.suite import ROOT

FOLDER: Final = ROOT / "libs" / "contracts" / "samples" / "v1"
AT: Final = datetime(2026, 3, 2, 1, 30, 0, 125_000, tzinfo=UTC)
CODES: Final[Mapping[type[Code], Code]] = {
    ProjectCode: ProjectCode("2018-210281-47-03-000123"),
    CreditCode: CreditCode("91210281MA0ABC123K"),
    DepartmentCode: DepartmentCode("GHJ"),
    JurisdictionCode: JurisdictionCode("210281"),
    ItemCode: ItemCode("S1-05"),
    MaterialCode: MaterialCode("M07"),
    Sha256: Sha256("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
}

PATTERNED: Final[Mapping[str, Any]] = {
    "certificate_der": "MIIB",
    "contact_phone": "0411-85600000",
    "certificate": "CA-0001",
    "subject": "CA-0001",
    "holder": "张三",
    "serial": "0A1B2C",
    "signature": "AAAA",
    "public_key": "AAAA",
    "value": "AAAA",
    "released_year": 2027,
}
"""Fields whose value has a form of its own."""


def every_topic() -> tuple[Topic, ...]:
    """Every topic, with one department's for all of them."""
    return (*TOPICS, *department_topics([(JurisdictionCode("210281"), DepartmentCode("GHJ"))]))


def made() -> dict[Path, str]:
    """Return a sample of every event, by the file that it is kept in."""
    pairs = [(model, topic) for topic in every_topic() for model in topic.says]
    return {FOLDER / f"{model.__name__}.json": _record(sample(model), topic) for model, topic in pairs}


def _record(event: Event, topic: Topic) -> str:
    message = encode(event, topic.name, topic.speaker, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    headers = [(name, value.decode()) for name, value in message.headers]
    record = {"topic": topic.name, "key": message.key, "headers": headers, "value": message.value}
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


def sample(model: type[Event]) -> Event:
    """Return an event of `model` with every field filled."""
    fields = {name: _value(info.annotation, name) for name, info in model.model_fields.items()}
    return model(**fields)


def _value(kind: Any, name: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _value(next(one for one in get_args(kind) if one is not NoneType), name)
    if origin is dict:
        return {f"示例 {name}"[:30]: _value(get_args(kind)[1], name)}
    if origin is tuple:
        inner = get_args(kind)
        return tuple(_value(one, name) for one in inner if one is not Ellipsis)
    if hasattr(kind, "__metadata__"):
        return _value(get_args(kind)[0], name)
    return _plain(kind, name)


def _plain(kind: Any, name: str) -> Any:
    if kind is AwareDatetime:
        return AT
    if kind in CODES:
        return CODES[kind]
    if issubclass(kind, BaseModel):
        return kind(**{inner: _value(info.annotation, inner) for inner, info in kind.model_fields.items()})
    if issubclass(kind, Enum):
        return next(iter(kind))
    values: dict[type, Any] = {
        UUID: derived_id("sample", name),
        datetime: AT,
        date: AT.date(),
        bool: True,
        int: 1,
        float: 48_000.5,
        str: f"示例 {name}"[:30],
    }
    return PATTERNED.get(name, values[kind])
