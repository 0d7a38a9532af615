"""The development certificate authority: it behaves like a real one, and every key of it is made inside a token.

`prepare(folder)` makes root, issuing authority, timestamp authority and OCSP responder; `Authority.issue` gives a
holder a token of its own with a certificate; `Authority.revoke` says that one no longer counts. Whoever trusts it reads
`folder/trust` and nothing else. `python -m local.authority serve` answers for the list, OCSP and timestamps over HTTP.

The folder: `ca/` `seals/` `persons/` are stores of tokens (SoftHSM2, each with a configuration of its own, so that who
opens one sees no other), `certificates/LABEL.pem` what was issued, `index.json` its book, `trust/` what it says.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from evidence.certificates import Certificate, Purpose, parse_pem
from local import tokens
from local.authority.book import Book
from local.trouble import Trouble

SEALS: Final = "seals"
PERSONS: Final = "persons"
PLATFORM: Final = "platform"
SECONDS: Final = 120
ALGORITHM: Final = "ecdsa-p256-sha256"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate that is asked for: `token` is the label of the holder's own token, made when it is not there.

    `holder` becomes CN, `organisation` O, `uscc` the organizationIdentifier. `serial` (hexadecimal) and the validity
    are for tests; without them a random serial and three years from yesterday. `store` is `seals` or `persons`;
    `algorithm` is that of the key.
    """

    token: str
    store: str
    holder: str
    purpose: Purpose
    organisation: str | None = None
    uscc: str | None = None
    serial: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    algorithm: str = ALGORITHM


@dataclass(frozen=True, slots=True)
class Token:
    """A holder's token and how it is opened: `environment` is what the module needs; the key is called `label`."""

    label: str
    module: Path
    pin_file: Path
    environment: Mapping[str, str]
    certificate: Certificate


class Authority:
    """The authority of `folder`; `url` is where it is served."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    @property
    def trust(self) -> Path:
        """The trust folder."""
        return self.folder / "trust"

    @property
    def command(self) -> Sequence[str]:
        """The command that serves the list, OCSP and timestamps on the port of `url`."""
        return (sys.executable, "-m", "local.authority", "serve", str(self.folder), self.url)

    def issue(self, *wanted: Wanted) -> list[Token]:
        """Issue all of `wanted`, and return their tokens in this order; a token that is there keeps its key."""
        if wanted:
            self._work("issue", [asdict(one) for one in wanted])
        return [self.token(one.token, one.store) for one in wanted]

    def ensure(self, *wanted: Wanted) -> list[Token]:
        """Issue what was not issued yet, and return the tokens of all."""
        known = Book.read(self.folder).labels
        self.issue(*(one for one in wanted if one.token not in known))
        return [self.token(one.token, one.store) for one in wanted]

    def token(self, label: str, store: str) -> Token:
        """Return a token that was issued. Raises Trouble when none was."""
        file = self.folder / "certificates" / f"{label}.pem"
        if not file.exists():
            raise Trouble(f"no certificate was issued for {label}")
        return Token(
            label,
            tokens.proxy(),
            self.pins(store) / label,
            self.environment(store),
            parse_pem(file.read_bytes()),
        )

    def pins(self, store: str) -> Path:
        """Return the folder with one PIN file per token."""
        return self.folder / store / "pins"

    def environment(self, store: str) -> dict[str, str]:
        """Return what the PKCS#11 module of a process needs to see the tokens of `store`, and no others."""
        folder = self.folder / store
        return {
            "SOFTHSM2_CONF": str(folder / "softhsm2.conf"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "P11_KIT_STRICT": "1",
        }

    def revoke(
        self, serial: str, reason: str = "keyCompromise", invalid_since: datetime | None = None, *, lists: bool = True
    ) -> None:
        """Revoke a certificate (RFC 5280's word for the reason) and sign a new list into the trust folder (Art. 20);
        without `lists` the responder alone tells of it until the next list."""
        self._work("revoke", {"serial": serial, "reason": reason, "invalid_since": invalid_since, "lists": lists})

    def renew_list(self, next_update: datetime | None = None) -> None:
        """Sign the list anew; `next_update` in the past makes a stale one, for tests."""
        self._work("renew", {"next_update": next_update})

    def _work(self, what: str, order: Any) -> None:
        """Let a process of its own do it: it logs in to tokens, and the runner forks."""
        command = [sys.executable, "-m", "local.authority", what, str(self.folder), self.url]
        environment = {**os.environ, "LD_LIBRARY_PATH": tokens.library_path(tokens.installed())}
        told = json.dumps(order, default=datetime.isoformat).encode()
        done = subprocess.run(command, input=told, env=environment, capture_output=True, timeout=SECONDS)
        if done.returncode:
            raise Trouble(f"the development authority could not {what}: {done.stderr.decode()[-1000:]}")


def prepare(folder: Path, url: str, *wanted: Wanted) -> Authority:
    """Return the authority of `folder`, made on first use, with a fresh list and what is `wanted`, issued once."""
    authority = Authority(folder, url)
    authority._work("prepare", [asdict(one) for one in wanted])
    return authority
