"""`./run ca-agent`: the program beside a person's CA key. A page asks it on this machine alone; it shows what will be
signed, and lets the token sign (Art. 19, 20).

It never signs what it was handed as a digest: it is told an origin by the browser, a nonce and the facts of an act,
shows them, and makes what is signed itself. Only pages of pinned origins are heard.
"""

import argparse
import getpass
import hashlib
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import pkcs11
import uvicorn
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from fastapi import FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware.base import RequestResponseEndpoint

from evidence import login, step_up
from evidence.certificates import Certificate, NotTrusted, Purpose, parse
from local import ports, tokens

LOOPBACK: Final = "127.0.0.1"
WAYS: Final = "GET, POST"
HEALTH: Final = "/health/ready"
Attribute, Class = pkcs11.Attribute, pkcs11.ObjectClass


class Declined(Exception):
    """The person did not want this signed."""


class Keys:
    """The certificates of the tokens that are plugged in, and the keys that belong to them; one call at a time."""

    def __init__(self, module: Path, pins: Path | None) -> None:
        self._library: Any = pkcs11.lib(str(module))
        self._pins = pins
        self._lock = threading.Lock()
        self._held: dict[str, tuple[Certificate, Any]] = {}
        self._sessions: dict[str, Any] = {}

    def certificates(self) -> list[Certificate]:
        """Return what may log in, as the tokens that are plugged in now have it."""
        with self._lock:
            self._look()
            return [one for one, _ in self._held.values()]

    def certificate(self, serial: str) -> Certificate:
        """Return a certificate. Raises KeyError when no token has it."""
        with self._lock:
            return self._found(serial)[0]

    def sign(self, serial: str, message: bytes) -> bytes:
        """Return the signature of a certificate's key over `message` (ECDSA with SHA-256, DER). Raises KeyError."""
        with self._lock:
            _, token = self._found(serial)
            key = self._session(token).get_key(Class.PRIVATE_KEY, label=token.label)
            raw: bytes = key.sign(hashlib.sha256(message).digest(), mechanism=pkcs11.Mechanism.ECDSA)
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))

    def _found(self, serial: str) -> tuple[Certificate, Any]:
        if serial not in self._held:
            self._look()
        return self._held[serial]

    def _look(self) -> None:
        """Tokens come and go: begin anew with those that are there."""
        self._sessions.clear()
        self._library.reinitialize()
        self._held = {one.serial: (one, token) for token in self._library.get_tokens() for one in _certificates(token)}

    def _session(self, token: Any) -> Any:
        if token.label not in self._sessions:
            self._sessions[token.label] = token.open(user_pin=self._pin(token.label))
        return self._sessions[token.label]

    def _pin(self, label: str) -> str:
        file = None if self._pins is None else self._pins / label
        return getpass.getpass(f"PIN of {label}: ") if file is None else file.read_text().strip()


def _certificates(token: Any) -> list[Certificate]:
    """Return a token's certificates for logging in."""
    if pkcs11.TokenFlag.TOKEN_INITIALIZED not in token.flags:
        return []
    with token.open() as session:
        ders = [one[Attribute.VALUE] for one in session.get_objects({Attribute.CLASS: Class.CERTIFICATE})]
    found: list[Certificate] = []
    for der in ders:
        try:
            found.append(parse(bytes(der)))
        except NotTrusted as trouble:
            print(f"a certificate of {token.label} cannot be read: {trouble}", file=sys.stderr)
    return [one for one in found if Purpose.LOGIN in one.purposes]


class Given(BaseModel):
    """What a page sends: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")

    certificate: Annotated[str, Field(pattern=r"^[0-9A-F]{1,40}$")]
    nonce: Annotated[str, Field(min_length=32, max_length=100)]


class Act(Given):
    """An act to be signed: its facts by name, as the person is shown them."""

    facts: Annotated[dict[str, Annotated[str, Field(max_length=4000)]], Field(max_length=20)]


def create(keys: Keys, origins: frozenset[str], *, asks: bool) -> FastAPI:
    """Return the agent, which hears pages of `origins` alone; `asks` the person before each signature."""
    agent = FastAPI(title="CA agent", docs_url=None, redoc_url=None, openapi_url=None)
    Origin = Annotated[str, Header()]

    @agent.middleware("http")
    async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Answer no page but those of pinned origins, and no name but this machine's own (DNS rebinding)."""
        origin, host = request.headers.get("origin", ""), request.headers.get("host", "").split(":")[0]
        if request.url.path != HEALTH and (host not in (LOOPBACK, "localhost") or origin not in origins):
            return Response(status_code=403)
        response = Response(status_code=204) if request.method == "OPTIONS" else await call_next(request)
        response.headers.update(_allowed(origin))
        return response

    @agent.get(HEALTH)
    def ready() -> None:
        """Whoever started the agent asks."""

    @agent.get("/certificates")
    def read_certificates() -> list[dict[str, str]]:
        return [{"serial": one.serial, "holder": one.holder} for one in keys.certificates()]

    @agent.post("/login")
    def log_in(body: Given, origin: Origin) -> dict[str, str]:
        shown = {"登录": origin, "挑战": body.nonce}
        return _signed(keys, body.certificate, shown, asks, lambda one, sign: login.make(one, origin, body.nonce, sign))

    @agent.post("/step-up")
    def step(body: Act, origin: Origin) -> dict[str, str]:
        shown = {"办理": origin, **body.facts, "挑战": body.nonce}
        text = step_up.text(origin, body.nonce, body.facts)
        return _signed(keys, body.certificate, shown, asks, lambda one, sign: step_up.make(one, text, sign))

    return agent


def _allowed(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": WAYS,
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Allow-Private-Network": "true",
        "Vary": "Origin",
        "Cache-Control": "no-store",
    }


def _signed(keys: Keys, serial: str, shown: Mapping[str, str], asks: bool, make: Any) -> dict[str, str]:
    try:
        certificate = keys.certificate(serial)
        _show(certificate, shown, asks)
        return make(certificate, lambda message: keys.sign(serial, message))
    except KeyError:
        raise HTTPException(404, "no token that is plugged in has this certificate") from None
    except Declined:
        raise HTTPException(403, "declined") from None


def _show(certificate: Certificate, shown: Mapping[str, str], asks: bool) -> None:
    """Show what will be signed; where nobody is asked it stands in the agent's log."""
    told = "；".join(f"{name}：{value}" for name, value in shown.items())
    print(f"{certificate.holder}（{certificate.serial}）签名 → {told!r}", flush=True)
    if asks and input("签名？[y/N] ").strip().lower() != "y":
        raise Declined


def main(arguments: list[str]) -> int:
    """Serve until Ctrl-C."""
    options = _parser().parse_args(arguments)
    os.environ.update(dict(one.split("=", 1) for one in options.set))
    agent = create(Keys(options.module, options.pins), frozenset(options.origin), asks=not options.unattended)
    uvicorn.run(agent, host=LOOPBACK, port=options.port, log_level="warning", server_header=False)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run ca-agent", description=__doc__)
    signing = f"http://{LOOPBACK}:{ports.fixed()['signing']}"
    parser.add_argument("--origin", action="append", default=[], help=f"a page that is heard; {signing} for ./run up")
    parser.add_argument("--port", type=int, default=ports.fixed()["ca-agent"])
    parser.add_argument("--module", type=Path, help="PKCS#11 module of the CA key; default: p11-kit's proxy")
    parser.add_argument("--pins", type=Path, help="folder with a 0400 file per token (development); else asked for")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="what the module needs")
    parser.add_argument("--unattended", action="store_true", help="sign without asking (development)")
    parser.set_defaults(module=tokens.library(tokens.installed(), "libp11-kit.so.0"))
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
