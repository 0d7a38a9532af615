"""Signing's settings: the tokens and how they are opened, logins, and the list that the roster begins with."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from chassis import settings


class Settings(settings.Settings):
    """PINs stand in files of mode 0400, never in a variable."""

    pkcs11_module: Annotated[Path, Field(description="PKCS#11 module, through libp11-kit.so.0")]
    pkcs11_pin_folder: Annotated[Path, Field(description="Folder with a PIN file per token, by its label, mode 0400")]
    pkcs11_latch_folder: Annotated[
        Path | None, Field(description="Where LABEL.wrong-pin is kept; empty: beside the PINs")
    ] = None
    pkcs11_own_token: Annotated[str, Field(description="Label of the platform's own token")] = "platform"
    token_threads: Annotated[int, Field(ge=1, le=16, description="Sessions that sign side by side")] = 2
    platform_certificate_file: Annotated[
        Path, Field(description="PEM certificate of the platform's key, which signs service tokens")
    ]
    login_origin: Annotated[
        str, Field(description="Origin that a key signs at login, as browsers see it: https://host")
    ]
    agent_url: Annotated[
        str, Field(pattern=r"^https?://[\w.:-]+$", description="Where the login page finds the agent beside a key")
    ] = "http://127.0.0.1:8181"
    login_per_minute: Annotated[int, Field(ge=1, description="Login requests an address may make a minute")] = 300
    session_hours: Annotated[float, Field(gt=0, le=24, description="How long a session lasts")] = 8
    revocation_seconds: Annotated[float, Field(gt=0, description="How often revocation lists are fetched, s")] = 300
    batch_forbidden: Annotated[
        str, Field(description="Seals whose token signs no batches, comma-separated; *: none does")
    ] = ""
    token_waiting: Annotated[int, Field(ge=1, le=1000, description="Calls of the tokens that may wait")] = 16
    token_seconds: Annotated[float, Field(gt=0, le=60, description="Longest that a call may take, s")] = 5.0
    document_form: Annotated[
        Literal["pdf", "digest"], Field(description="digest only to measure without PDFs; refused in production")
    ] = "pdf"
    tsa_url: Annotated[str, Field(description="Timestamp authority (RFC 3161)")] = ""
    seal_grants_file: Annotated[
        Path | None, Field(description="CSV of which seal may stand on whose documents of which kinds, and when")
    ] = None
    systems_decide: Annotated[
        str,
        Field(description="Whose own systems decide, without an officer's signature: 210281.GHJ, 210281.*; *: all"),
    ] = "*"
    roster_seed_file: Annotated[
        Path | None, Field(description="CSV of the responsible persons confirmed to begin with (Art. 18)")
    ] = None

    @model_validator(mode="after")
    def _trusts_somebody(self) -> Self:
        if self.trust_folder is None:
            raise ValueError("TRUST_FOLDER must name the folder with trust.toml: signing is where one logs in")
        return self

    @model_validator(mode="after")
    def _keeps_sessions_from_the_wire(self) -> Self:
        if self.environment == "production" and not self.login_origin.startswith("https://"):
            raise ValueError("LOGIN_ORIGIN must begin with https:// when ENVIRONMENT=production: cookies are sessions")
        return self
