"""Who a certificate's holder is here: the posts that the roster gives it, one session in one of them, and what the
service token says of it (Art. 18, 19).

A certificate proves a holder, never a role. A builder's names its credit code; every other role comes from the roster.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts.codes import CreditCode, DepartmentCode, JurisdictionCode
from contracts.envelope import derived_id
from contracts.labels import label
from contracts.signing import LoginsRefused, RefusedLogins
from contracts.terms import Role
from evidence.certificates import Certificate, Reason
from evidence.login import Fault
from procedure.catalogue import Catalogue
from procedure.refusals import Refusal
from procedure.roster import NotOnRoster, in_force
from signing.domain.roster import Entry

NONCE_LASTS: Final = timedelta(minutes=5)
SPELL: Final = timedelta(minutes=10)
MOST_NAMED: Final = 50


class NoChallenge(Refusal):
    """没有待应答的登录挑战：每个挑战只能应答一次，五分钟内有效，且只限取得它的浏览器"""

    article = "第十九条"
    status = 401


class TokenMalformed(Refusal):
    """登录凭证格式不正确"""

    article = "第十九条"
    status = 401


class SignatureWrong(Refusal):
    """签名与本次登录的网站、挑战或证书不符"""

    article = "第十九条"
    status = 401


class CertificateTooWeak(Refusal):
    """证书的密钥或算法强度不足"""

    article = "第十九条"
    status = 401


class IssuerNotListed(Refusal):
    """证书不是由受信任的电子认证服务机构签发的"""

    article = "第十九条"
    status = 401


class WrongPurpose(Refusal):
    """该证书不是用于登录的证书"""

    article = "第十九条"
    status = 401


class CertificateNotYetValid(Refusal):
    """证书尚未生效"""

    article = "第十九条"
    status = 401


class CertificateExpired(Refusal):
    """证书已过期，请到电子认证服务机构更新"""

    article = "第十九条"
    status = 401


class CertificateRevoked(Refusal):
    """证书已被吊销"""

    article = "第二十条"
    status = 401


class RevocationNotKnown(Refusal):
    """暂时无法核实证书是否被吊销，请稍后再试"""

    article = "第二十条"
    status = 503


class NoSession(Refusal):
    """尚未登录，或登录已失效，请用 CA 锁重新登录"""

    article = "第十九条"
    status = 401


class ChooseYourPost(Refusal):
    """您在责任人名单上有多个身份，请选择其一：{posts}"""

    article = "第十八条"


class TooManyLogins(Refusal):
    """登录请求过于频繁，请稍后再试"""

    article = None
    status = 429


class RefusedLogin(NamedTuple):
    """Logins that were refused alike: when last, whose certificate the token claimed, why, from where, how often."""

    at: datetime
    serial: str | None
    code: str
    address: str
    times: int = 1


def spell_of(at: datetime) -> datetime:
    """Return when the ten minutes began in which refused logins that are alike are one."""
    return at - (at - datetime.fromtimestamp(0, UTC)) % SPELL


def told(refused: Sequence[RefusedLogin], now: datetime) -> LoginsRefused:
    """Return what the bus hears of refused logins, at least one: how often each reason refused each certificate."""
    times, last = Counter[tuple[str, str | None]](), dict[tuple[str, str | None], datetime]()
    for one in sorted(refused, key=lambda one: one.at):
        times[one.code, one.serial] += one.times
        last[one.code, one.serial] = one.at
    cause = derived_id("logins-refused", now, times.total())
    return LoginsRefused(
        event_id=cause,
        causation_id=cause,
        occurred_at=now,
        subject="logins:refused",
        times=times.total(),
        refused=tuple(
            RefusedLogins(code=code, serial=serial, times=count, last_at=last[code, serial])
            for (code, serial), count in times.most_common(MOST_NAMED)
        ),
    )


REFUSED: Final[dict[Reason | Fault, type[Refusal]]] = {
    Reason.MALFORMED: TokenMalformed,
    Reason.WEAK: CertificateTooWeak,
    Reason.UNKNOWN_CA: IssuerNotListed,
    Reason.WRONG_PURPOSE: WrongPurpose,
    Reason.NOT_YET_VALID: CertificateNotYetValid,
    Reason.EXPIRED: CertificateExpired,
    Reason.REVOKED: CertificateRevoked,
    Reason.REVOCATION_STALE: RevocationNotKnown,
    Fault.MALFORMED: TokenMalformed,
    Fault.WRONG_SIGNATURE: SignatureWrong,
}
"""What a person is told for each reason that evidence gives."""


@dataclass(frozen=True, slots=True)
class Post:
    """What one acts as: a role and its place, or a builder's credit code."""

    role: Role
    jurisdiction: JurisdictionCode | None = None
    department: DepartmentCode | None = None
    uscc: CreditCode | None = None

    def in_words(self, city: Catalogue) -> str:
        """Return the post as one reads it: 经办人（瓦房店市自然资源局）; what `city` has no name for, by its code."""
        place = city.places.get(self.jurisdiction) if self.jurisdiction else None
        office = city.departments.get(self.department, self.department) if self.department else None
        parts = (place.name if place else self.jurisdiction, office, self.uscc)
        return f"{label(self.role)}（{''.join(one for one in parts if one)}）"

    def choice(self, city: Catalogue) -> dict[str, str]:
        """Return how one says that this one is meant: role, jurisdiction, department; and its `name` in words."""
        told = {"name": self.in_words(city), "role": self.role.value}
        held = {"jurisdiction": self.jurisdiction, "department": self.department}
        return told | {name: one for name, one in held.items() if one}

    def fits(self, wanted: "Post") -> bool:
        """Whether this post is meant by `wanted`, which may leave open what decides nothing."""
        pairs = ((wanted.jurisdiction, self.jurisdiction), (wanted.department, self.department))
        return wanted.role is self.role and all(asked in (None, held) for asked, held in pairs)


@dataclass(frozen=True, slots=True)
class Session:
    """One login: whose, with which certificate, as what, from when to when (real time)."""

    session_id: UUID
    certificate: Certificate = field(repr=False)
    post: Post
    begun_at: datetime
    ends_at: datetime

    @property
    def claims(self) -> dict[str, Any]:
        """What a service token says of this session."""
        post, serial = self.post, self.certificate.serial
        named = {
            "sub": f"{post.role}:{serial}",
            "name": self.certificate.holder,
            "role": post.role.value,
            "certificate": serial,
            "uscc": post.uscc,
            "jurisdiction": post.jurisdiction,
            "department": post.department,
            "sid": str(self.session_id),
        }
        return {name: value for name, value in named.items() if value is not None}


def begin(
    session_id: UUID,
    certificate: Certificate,
    entries: Iterable[Entry],
    wanted: Post | None,
    city: Catalogue,
    now: datetime,
    at: datetime,
    lasts: timedelta,
) -> Session:
    """Return the session of a proved holder: `entries` are its certificate's, `city` names places,
    `now` is business time, `at` real time.

    Raises NotOnRoster (no such post), ChooseYourPost (more than one).
    """
    post = chosen(posts(certificate, entries, now), wanted, city)
    return Session(session_id, certificate, post, at, min(at + lasts, certificate.not_after))


def posts(certificate: Certificate, entries: Iterable[Entry], now: datetime) -> list[Post]:
    """Return what the holder may act as at `now`, each once."""
    held = [_post(one) for one in entries if one.what.holder == certificate.holder and in_force(one.said, now)]
    return list(dict.fromkeys([*_builders(certificate), *held]))


def chosen(held: Collection[Post], wanted: Post | None, city: Catalogue) -> Post:
    """Return the one post that is meant. Raises NotOnRoster or ChooseYourPost."""
    meant = [one for one in held if wanted is None or one.fits(wanted)]
    if not meant:
        raise NotOnRoster
    if len(meant) > 1:
        choices = [one.choice(city) for one in meant]
        raise ChooseYourPost(choices, posts="；".join(one["name"] for one in choices))
    return meant[0]


def hold_to_post(session: Session, entries: Iterable[Entry], now: datetime) -> None:
    """Hold a session to what the roster says by now. Raises NotOnRoster."""
    if session.post not in posts(session.certificate, entries, now):
        raise NotOnRoster


def _post(entry: Entry) -> Post:
    return Post(entry.what.role, entry.what.jurisdiction, entry.what.department)


def _builders(certificate: Certificate) -> list[Post]:
    try:
        return [] if certificate.uscc is None else [Post(Role.BUILDER, uscc=CreditCode(certificate.uscc))]
    except ValueError:
        return []
