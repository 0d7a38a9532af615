"""Logging in over HTTP: a challenge, its answer by the key, a session, and service tokens of a minute (Art. 19).

The session's secret travels in a cookie that no script can read, or in a program's header `Authorization: Session …`.
"""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import metrics
from chassis.database import Database, Work
from chassis.identity import requires
from chassis.wallclock import WallClock
from contracts.codes import CITY, CreditCode, DepartmentCode, JurisdictionCode
from contracts.envelope import Instant
from contracts.terms import Role
from evidence import login, service_token
from evidence.certificates import Certificate, NotTrusted, Purpose
from evidence.login import NotProved, Token
from procedure.authority import Caller
from procedure.catalogue import Catalogue
from procedure.refusals import Refusal
from procedure.roster import CertificateIsSuspended
from signing import store
from signing.domain import sessions
from signing.domain.sessions import REFUSED, NoChallenge, NoSession, Post, RefusedLogin, Session, TooManyLogins
from signing.platform import Platform
from signing.rates import Rates
from signing.responders import Responders

BROWSER: Final = "lianshen_browser"
SESSION: Final = "lianshen_session"
HOST: Final = "__Host-"
"""What a cookie's name begins with that no other host, not a neighbour in the domain either, can set."""
SCHEME: Final = "session"
Admin = Annotated[Caller, Depends(requires(Role.ADMIN))]

log = structlog.get_logger()


class Given(BaseModel):
    """What callers send: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Wanted(Given):
    """As what one logs in, where the roster gives several posts."""

    role: Role
    jurisdiction: JurisdictionCode | None = None
    department: DepartmentCode | None = None


class Answer(Given):
    """A challenge's answer: Web eID's authentication token, and as what one logs in."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    token: Annotated[dict[str, Any], Field(max_length=8)]
    wanted: Annotated[Wanted | None, Field(alias="as")] = None

    @property
    def post(self) -> Post | None:
        one = self.wanted
        return None if one is None else Post(one.role, one.jurisdiction, one.department)


class Challenge(BaseModel):
    """What the key is to sign: hash(origin) ‖ hash(nonce)."""

    nonce: str
    origin: str
    expires_at: datetime


class SessionView(BaseModel):
    """Who is logged in, as what (`post` says it in words), until when."""

    session_id: UUID
    holder: str
    certificate: str
    post: str
    role: Role
    jurisdiction: JurisdictionCode | None
    department: DepartmentCode | None
    uscc: CreditCode | None
    begun_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, s: Session, city: Catalogue) -> "SessionView":
        post = s.post
        return cls(
            session_id=s.session_id,
            holder=s.certificate.holder,
            certificate=s.certificate.serial,
            post=post.in_words(city),
            role=post.role,
            jurisdiction=post.jurisdiction,
            department=post.department,
            uscc=post.uscc,
            begun_at=s.begun_at,
            ends_at=s.ends_at,
        )


class Begun(SessionView):
    """A new session with its secret, for programs; browsers have it in their cookie."""

    session: str


class ServiceToken(BaseModel):
    """What every service of the platform accepts, for a minute."""

    token: str
    expires_at: datetime


class RefusedLoginView(BaseModel):
    """Logins that were refused alike within ten minutes: `code` is why, `serial` what the token claimed, empty where no
    listed issuer made the certificate; `at` is when last, `times` how often."""

    at: datetime
    serial: str | None
    code: str
    address: str
    times: int


class Logins:
    """What the routes do."""

    def __init__(
        self,
        database: Database,
        wallclock: WallClock,
        responders: Responders,
        platform: Platform,
        city: Catalogue,
        origin: str,
        lasts: timedelta,
    ) -> None:
        self._database = database
        self._wallclock = wallclock
        self._responders = responders
        self._platform = platform
        self.city = city
        self.origin = origin
        self.lasts = lasts

    async def challenge(self, browser: str) -> Challenge:
        """Give `browser` a nonce that it may answer once. Raises TooManyLogins when very many wait."""
        nonce, at = secrets.token_urlsafe(32), _now()
        expires_at = at + sessions.NONCE_LASTS
        async with self._database.work() as work:
            if not await store.logins.add_nonce(work, browser, nonce, at, expires_at):
                raise TooManyLogins
        return Challenge(nonce=nonce, origin=self.origin, expires_at=expires_at)

    async def begin(self, browser: str, answer: Answer, address: str) -> tuple[str, Session]:
        """Return the secret of a new session. Whatever is refused is recorded before it is told."""
        nonce = await self._taken(browser)
        claimed: Token | None = None
        try:
            if nonce is None:
                raise NoChallenge
            claimed = login.read(json.dumps(answer.token))
            return await self._begun(await self._proved(claimed, nonce), answer.post)
        except (Refusal, NotTrusted, NotProved) as trouble:
            raise await self._recorded(trouble, claimed, address) from None

    async def _taken(self, browser: str) -> str | None:
        """Remove the nonce for good, whatever comes of its answer."""
        async with self._database.work() as work:
            return await store.logins.take_nonce(work, browser, _now())

    async def _proved(self, claimed: Token, nonce: str) -> Certificate:
        """Return the certificate of whoever answered `nonce`. Nobody is asked about one whose key did not sign."""
        trust, revoked = self._responders.trust, self._responders.revoked
        certificate = login.prove(claimed, self.origin, nonce, trust, revoked.now, _now())
        await self._responders.hold(certificate, Purpose.LOGIN)
        return certificate

    async def _begun(self, certificate: Certificate, wanted: Post | None) -> tuple[str, Session]:
        secret, serial = secrets.token_urlsafe(32), certificate.serial
        async with self._database.work() as work:
            await _hold_to_standing(work, serial)
            entries = (await store.roster.entries(work, [serial]))[serial]
            business = self._wallclock.now()
            session = sessions.begin(uuid4(), certificate, entries, wanted, self.city, business, _now(), self.lasts)
            await store.logins.add(work, secret, session)
        metrics.add("lianshen_logins_total", label=session.post.role.value)
        return secret, session

    async def _recorded(
        self, trouble: Refusal | NotTrusted | NotProved, claimed: Token | None, address: str
    ) -> Refusal:
        refusal = _refusal(trouble)
        async with self._database.work() as work:
            refused = RefusedLogin(_now(), self._serial(claimed), refusal.code, address)
            await store.logins.add_attempt(work, refused)
        log.info("login.refused", code=refusal.code, why=str(trouble)[:200], address=address)
        return refusal

    def _serial(self, claimed: Token | None) -> str | None:
        """Return the serial of a certificate that a listed issuer made; anybody could have given himself another's."""
        try:
            return claimed and self._responders.trust.issuer_of(claimed.certificate) and claimed.certificate.serial
        except NotTrusted:
            return None

    async def refused(self, caller: Caller, before: datetime | None, most: int) -> Sequence[RefusedLogin]:
        """Return refused logins, the newest first: the city's administrator sees all, another those of its own list."""
        place = None if caller.jurisdiction == CITY else caller.jurisdiction or ""
        async with self._database.reading() as connection:
            return await store.logins.attempts(connection, place, before or _now(), most)

    async def session(self, secret: str) -> Session:
        """Return the session of a secret. Raises NoSession."""
        async with self._database.reading() as connection:
            found = await store.logins.session(connection, secret, _now())
        if found is None:
            raise NoSession
        return found

    async def end(self, secret: str) -> None:
        """End a session; one that has ended already is ended."""
        async with self._database.work() as work:
            await store.logins.end(work, secret)

    async def service_token(self, secret: str) -> ServiceToken:
        """Return a token for the services. The certificate and the post are judged anew each time.

        Raises NoSession, NotOnRoster, what a certificate can be refused for, or PlatformKeyUnavailable.
        """
        session, at = await self.session(secret), _now()
        serial = session.certificate.serial
        try:
            await self._responders.hold(session.certificate, Purpose.LOGIN)
        except NotTrusted as trouble:
            raise _refusal(trouble) from None
        async with self._database.work() as work:
            await _hold_to_standing(work, serial)
            sessions.hold_to_post(session, (await store.roster.entries(work, [serial]))[serial], self._wallclock.now())
        part = service_token.unsigned(session.claims, self._platform.certificate, at)
        made = service_token.signed(part, await self._platform.sign(part.encode()))
        return ServiceToken(token=made, expires_at=at + timedelta(seconds=service_token.LONGEST_SECONDS))


async def _hold_to_standing(work: Work, serial: str) -> None:
    """Hold a certificate to what was reported of it here, where every report is made. Raises CertificateIsSuspended."""
    if await store.losses.suspension(work, serial) is not None:
        raise CertificateIsSuspended


def _refusal(trouble: Refusal | NotTrusted | NotProved) -> Refusal:
    if isinstance(trouble, Refusal):
        return trouble
    return REFUSED[trouble.reason if isinstance(trouble, NotTrusted) else trouble.fault]()


def _now() -> datetime:
    """Real time: a key, a nonce and a session live by it, however business time runs."""
    return datetime.now(UTC)


def router(logins: Logins, rates: Rates) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/login")
    secure = logins.origin.startswith("https://")
    of_browser, of_session = (HOST * secure + name for name in (BROWSER, SESSION))

    def keep(response: Response, name: str, value: str, lasts: timedelta) -> None:
        response.set_cookie(
            name, value, max_age=int(lasts.total_seconds()), path="/", secure=secure, httponly=True, samesite="strict"
        )
        response.headers["Cache-Control"] = "no-store"

    def secret_of(request: Request) -> str:
        """Return the session's secret, from the header of a program or from the cookie. Raises NoSession."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        given = secret if scheme.lower() == SCHEME else request.cookies.get(of_session, "")
        if not given:
            raise NoSession
        return given

    @routes.post("/challenge", summary="登录：取得挑战")
    async def challenge(request: Request, response: Response) -> Challenge:
        rates.take(address_of(request))
        browser = secrets.token_urlsafe(32)
        made = await logins.challenge(browser)
        keep(response, of_browser, browser, sessions.NONCE_LASTS)
        return made

    @routes.post("/session", summary="登录：以 CA 锁的签名应答挑战", status_code=201)
    async def begin(request: Request, response: Response, body: Answer) -> Begun:
        rates.take(address_of(request))
        secret, session = await logins.begin(request.cookies.get(of_browser, ""), body, address_of(request))
        keep(response, of_session, secret, session.ends_at - session.begun_at)
        return Begun(session=secret, **dict(SessionView.of(session, logins.city)))

    @routes.get("/session", summary="登录：当前会话")
    async def read_session(request: Request) -> SessionView:
        return SessionView.of(await logins.session(secret_of(request)), logins.city)

    @routes.delete("/session", summary="登录：退出", status_code=204)
    async def end(request: Request) -> Response:
        await logins.end(secret_of(request))
        response = Response(status_code=204)
        response.delete_cookie(of_session, path="/", secure=secure, httponly=True, samesite="strict")
        return response

    @routes.get("/refusals", summary="被拒绝的登录，新的在前（管理员）")
    async def read_refusals(
        caller: Admin, before: Instant | None = None, most: Annotated[int, Query(ge=1, le=500)] = 100
    ) -> list[RefusedLoginView]:
        return [RefusedLoginView(**one._asdict()) for one in await logins.refused(caller, before, most)]

    @routes.post("/token", summary="登录：换取一分钟有效的服务令牌")
    async def token(request: Request, response: Response) -> ServiceToken:
        response.headers["Cache-Control"] = "no-store"
        return await logins.service_token(secret_of(request))

    return routes


def address_of(request: Request) -> str:
    """Return from where somebody comes: of IPv6 the network, for a single user has all the addresses in it."""
    host = "" if request.client is None else request.client.host
    return str(ip_network((host, 64), strict=False)) if ":" in host else host
