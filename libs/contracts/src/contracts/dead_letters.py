"""What any reader says of a message that it could not understand or could not apply."""

from typing import Annotated, ClassVar

from pydantic import Field

from contracts.envelope import Event, Instant, Line, Text


class DeadLetter(Event):
    """The message as it came: `value` and header values in Base64, where it stood, what was wrong, how often tried."""

    KEY_FIELD: ClassVar[str] = "original_key"

    original_key: Annotated[str, Field(max_length=256)]
    service: Line
    topic: Line
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]
    headers: tuple[tuple[str, str], ...]
    value: str | None
    truncated: bool
    reason: Line
    detail: Text
    attempts: Annotated[int, Field(ge=1)]
    first_at: Instant
    last_at: Instant
