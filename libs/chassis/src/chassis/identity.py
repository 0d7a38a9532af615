"""The one door for callers: a signed token of at most ten minutes, minted by whoever holds the private key."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import jwt
from fastapi import Request

from contracts.codes import CreditCode, DepartmentCode, JurisdictionCode
from contracts.terms import Role
from procedure.authority import Caller, NotYourRole
from procedure.refusals import Refusal

AUDIENCE: Final = "lianshen"
LONGEST_SECONDS: Final = 600
ALGORITHM: Final = "EdDSA"
TOKENS_REMEMBERED: Final = 4096


class NotAuthenticated(Refusal):
    """须持有效的身份凭证登录后办理"""

    article = "第十九条"
    status = 401


class Door:
    """Verifies caller tokens with the public key of `key_file`; without a key nobody comes in."""

    def __init__(self, key_file: Path | None) -> None:
        self._key = None if key_file is None else key_file.read_text()
        self._seen: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def caller(self, authorization: str | None) -> Caller:
        """Return who calls. Raises NotAuthenticated for a token that is missing, forged, expired or too long-lived."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or self._key is None:
            raise NotAuthenticated
        seen = self._seen.get(token)
        if seen is not None and time.time() < seen[0]:
            return seen[1]
        return self._verified(token, self._key)

    def _verified(self, token: str, key: str) -> Caller:
        try:
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=[ALGORITHM], audience=AUDIENCE, options={"require": ["exp", "iat", "sub"]}
            )
            caller = _caller(claims)
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError):
            raise NotAuthenticated from None
        if claims["exp"] - claims["iat"] > LONGEST_SECONDS:
            raise NotAuthenticated
        self._seen[token] = (float(claims["exp"]), caller)
        if len(self._seen) > TOKENS_REMEMBERED:
            self._seen.popitem(last=False)
        return caller


def _caller(claims: dict[str, Any]) -> Caller:
    return Caller(
        subject=str(claims["sub"]),
        name=str(claims["name"]),
        role=Role(claims["role"]),
        certificate=str(claims["certificate"]),
        uscc=_made(CreditCode, claims.get("uscc")),
        jurisdiction=_made(JurisdictionCode, claims.get("jurisdiction")),
        department=_made(DepartmentCode, claims.get("department")),
    )


def _made(kind: Any, text: str | None) -> Any:
    return None if text is None else kind(text)


def requires(*roles: Role) -> Callable[[Request], Awaitable[Caller]]:
    """Return the dependency that lets only callers of `roles` in (401 for nobody, 403 for somebody else)."""

    async def caller(request: Request) -> Caller:
        door: Door = request.app.state.door
        known = door.caller(request.headers.get("authorization"))
        if roles and known.role not in roles:
            raise NotYourRole
        return known

    return caller
