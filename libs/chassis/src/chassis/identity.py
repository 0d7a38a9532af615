"""The one door for callers: a service token of at most a minute, made by the platform's key, for a certificate that
nobody has reported as lost (Art. 19, 20)."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
from fastapi import Request

from chassis.standing import Standing
from contracts.codes import CreditCode, DepartmentCode, JurisdictionCode
from contracts.terms import Role
from evidence import service_token, trust
from evidence.certificates import Certificate
from evidence.service_token import NoServiceToken
from procedure.authority import Caller, NotYourRole
from procedure.refusals import Refusal

TOKENS_REMEMBERED: Final = 4096
CERTIFICATES_REMEMBERED: Final = 16
JUDGED_ANEW_SECONDS: Final = 60.0

log = structlog.get_logger()


class NotAuthenticated(Refusal):
    """须持有效的身份凭证登录后办理"""

    article = "第十九条"
    status = 401


class Door:
    """Verifies service tokens by the trust list in `folder`, and asks `standing` of each certificate, each time.

    Without a folder nobody comes in. Raises BadTrustList.
    """

    def __init__(self, folder: Path | None, standing: Standing) -> None:
        self._trust = None if folder is None else trust.load(folder)
        self._standing = standing
        self._callers: OrderedDict[str, tuple[float, Caller, str]] = OrderedDict()
        self._platforms: OrderedDict[bytes, tuple[float, Certificate]] = OrderedDict()

    def caller(self, authorization: str | None) -> Caller:
        """Return who calls.

        Raises NotAuthenticated for a token that is missing, forged, ended or too long-lived; CertificateIsSuspended;
        StandingNotKnown.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or self._trust is None:
            raise NotAuthenticated
        ends, caller, platform = self._callers.get(token) or self._verified(token, self._trust)
        if time.time() >= ends:
            raise NotAuthenticated
        self._standing.hold(platform)
        self._standing.hold(caller.certificate)
        return caller

    def _verified(self, token: str, listed: trust.TrustList) -> tuple[float, Caller, str]:
        try:
            platform = self._platform(service_token.certificate_of(token), listed)
            claims = service_token.claims_of(token, platform)
            known = (float(claims["exp"]) + service_token.SKEW_SECONDS, _caller(claims), platform.serial)
        except (NoServiceToken, KeyError, ValueError, TypeError) as trouble:
            log.info("door.refused", why=str(trouble)[:200])
            raise NotAuthenticated from None
        _remember(self._callers, token, known, TOKENS_REMEMBERED)
        return known

    def _platform(self, der: bytes, listed: trust.TrustList) -> Certificate:
        """Return the platform's certificate, judged once a minute."""
        known = self._platforms.get(der)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        certificate = service_token.trusted(der, listed, datetime.now(UTC))
        until = time.monotonic() + JUDGED_ANEW_SECONDS
        _remember(self._platforms, der, (until, certificate), CERTIFICATES_REMEMBERED)
        return certificate


def _remember(kept: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    kept[key] = value
    if len(kept) > most:
        kept.popitem(last=False)


def _caller(claims: dict[str, Any]) -> Caller:
    return Caller(
        subject=str(claims["sub"]),
        name=str(claims["name"]),
        role=Role(claims["role"]),
        certificate=str(claims["certificate"]),
        uscc=_made(CreditCode, claims.get("uscc")),
        jurisdiction=_made(JurisdictionCode, claims.get("jurisdiction")),
        department=_made(DepartmentCode, claims.get("department")),
        session=str(claims.get("sid", "")),
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
