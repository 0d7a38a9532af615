"""Signing's settings: the token and how it is opened, and the list that the roster begins with."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from chassis import settings


class Settings(settings.Settings):
    """The PIN stands in a file of mode 0400, never in a variable."""

    pkcs11_module: Annotated[Path, Field(description="PKCS#11 module, through libp11-kit.so.0")]
    pkcs11_token_label: Annotated[str, Field(description="Label of the token")]
    pkcs11_token_serial: Annotated[str, Field(description="Serial of the token; empty: any with the label")] = ""
    pkcs11_pin_file: Annotated[Path, Field(description="File with the PIN, mode 0400")]
    token_threads: Annotated[int, Field(ge=1, le=16, description="Sessions that sign side by side")] = 2
    batch_forbidden: Annotated[
        str, Field(description="Seals whose token signs no batches, comma-separated; *: none does")
    ] = ""
    roster_seed_file: Annotated[
        Path | None, Field(description="CSV of the responsible persons confirmed to begin with (Art. 18)")
    ] = None
