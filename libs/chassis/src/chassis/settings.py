"""Every setting of a service, from the environment; a wrong one fails at start with the variable's name."""

import sys
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

S = TypeVar("S", bound="Settings")
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


class Settings(BaseSettings):
    """What every service reads. Secrets come from files, never from a variable."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    service_name: Annotated[str, Field(description="Name the service speaks under; also its consumer group")]
    environment: Annotated[Literal["development", "production"], Field(description="Production refuses stand-ins")] = (
        "production"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="Least level logged")] = "INFO"
    kafka_bootstrap_servers: Annotated[str, Field(description="Kafka servers, host:port, comma-separated")]
    kafka_security_protocol: Annotated[Protocol, Field(description="How Kafka is reached")] = "PLAINTEXT"
    kafka_sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Field(description="SASL mechanism")
    ] = "SCRAM-SHA-512"
    kafka_sasl_username: Annotated[str, Field(description="SASL user")] = ""
    kafka_sasl_password_file: Annotated[Path | None, Field(description="File with the SASL password")] = None
    kafka_ssl_cafile: Annotated[str, Field(description="PEM file of the brokers' CA")] = ""
    kafka_ssl_certfile: Annotated[str, Field(description="PEM file of the client certificate")] = ""
    kafka_ssl_keyfile: Annotated[str, Field(description="PEM file of the client key")] = ""
    database_url: Annotated[str, Field(description="postgresql://user:password@host:port/database, this service's own")]
    database_pool: Annotated[int, Field(ge=2, le=64, description="Most connections at once")] = 8
    http_host: Annotated[str, Field(description="Address to listen on")] = "127.0.0.1"
    http_port: Annotated[int, Field(ge=1, le=65535, description="Port to listen on")] = 8000
    catalogue_path: Annotated[Path, Field(description="Folder of the city's catalogue")] = Path("catalogue/dalian")
    trust_folder: Annotated[Path | None, Field(description="Folder with trust.toml; empty: nobody comes in")] = None
    identity_lag_seconds: Annotated[
        int, Field(ge=3, le=60, description="How old the view of suspended certificates may be")
    ] = 10
    wallclock: Annotated[
        str,
        Field(
            description="Empty: real time. affine:<real>,<business>,<factor>: compressed;"
            " ;<business>,<factor> behind it: another pace from then on"
        ),
    ] = ""
    otel_exporter_otlp_endpoint: Annotated[
        str, Field(description="Where OTLP traces and metrics go; empty: nowhere")
    ] = ""
    outbox_shards: Annotated[int, Field(ge=1, le=64, description="Relays that may work side by side")] = 1
    pace_ms: Annotated[
        int, Field(ge=0, le=10_000, description="Least time between two batches, ms; under load up to five times it")
    ] = 0
    batch_max_records: Annotated[int, Field(ge=1, le=10_000, description="Most records of one transaction")] = 4000
    park_limit_seconds: Annotated[int, Field(ge=1, description="How long an early record may wait")] = 600
    poison_limit_per_minute: Annotated[int, Field(ge=1, description="Dead letters a minute before reading stops")] = (
        1000
    )
    shutdown_seconds: Annotated[int, Field(ge=1, le=300, description="How long a stop may take")] = 20
    group_instance: Annotated[str, Field(description="Static member name; empty: dynamic membership")] = ""

    @property
    def trusted(self) -> Path:
        """Where trust.toml is, for a service that cannot do without."""
        assert self.trust_folder is not None
        return self.trust_folder

    @model_validator(mode="after")
    def _real_time_in_production(self) -> Self:
        if self.environment == "production" and self.wallclock:
            raise ValueError("WALLCLOCK must be empty when ENVIRONMENT=production")
        return self

    def kafka_sasl_password(self) -> str:
        """Return the SASL password, read from its file."""
        return "" if self.kafka_sasl_password_file is None else self.kafka_sasl_password_file.read_text().strip()


def load(kind: type[S]) -> S:
    """Return the settings of the environment. Exits with one line per wrong variable."""
    try:
        return kind()  # pyright: ignore[reportCallIssue] (the environment fills it)
    except ValidationError as wrong:
        for error in wrong.errors(include_url=False, include_input=False):
            name = "_".join(map(str, error["loc"])).upper() or "settings"
            print(f"{name}: {error['msg']} (see docs/settings.md)", file=sys.stderr)
        sys.exit(2)


def table(*kinds: type[Settings]) -> str:
    """Return the Markdown table of every variable of `kinds`: name, default, what it is for, who reads it."""
    rows: dict[str, tuple[str, str, list[str]]] = {}
    for kind in kinds:
        for name, info in kind.model_fields.items():
            default = (
                "(required)" if info.is_required() else f"`{info.default}`" if info.default not in ("", None) else ""
            )
            rows.setdefault(name.upper(), (default, info.description or "", []))[2].append(
                kind.__module__.split(".")[0]
            )
    lines = ["| variable | default | what for | who reads it |", "|---|---|---|---|"]
    for name, (default, purpose, readers) in rows.items():
        who = "all" if len(readers) == len(kinds) else ", ".join(readers)
        lines.append(f"| `{name}` | {default} | {purpose} | {who} |")
    return "\n".join(lines) + "\n"
