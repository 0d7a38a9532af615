"""The tables that every service's database has: positions, outbox, parked records, idempotency keys.

Every migration begins with this text.
"""

from typing import Any, Final

DDL: Final = """
CREATE TABLE positions (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard int NOT NULL,
    owner text NOT NULL,
    messages text NOT NULL,
    said_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
ALTER TABLE outbox ALTER COLUMN messages SET STORAGE EXTERNAL;
CREATE INDEX outbox_shard ON outbox (shard, id);

CREATE TABLE parked (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition int NOT NULL,
    record_offset bigint NOT NULL,
    appended_ms bigint NOT NULL,
    key text NOT NULL,
    value bytea,
    headers text NOT NULL,
    why text NOT NULL,
    detail text NOT NULL,
    attempts int NOT NULL,
    first_at timestamptz NOT NULL,
    next_try_at timestamptz NOT NULL
);
CREATE INDEX parked_lane ON parked (topic, key, id);
"""

IDEMPOTENCY_DDL: Final = """
CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    status int,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys USING brin (created_at);
"""
"""Only for services with writes over HTTP."""


def create(op: Any, *texts: str) -> None:
    """Run the statements of `texts` in a migration, one by one, as the driver wants them."""
    for text in texts:
        for statement in filter(str.strip, text.split(";\n")):
            op.execute(statement)
