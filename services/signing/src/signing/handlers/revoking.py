"""What an authority revoked is refused everywhere, like a key that was reported as lost (Art. 20).

At the doors a revoked certificate is refused by its list; departments' systems knock at no door, and no service reads
lists. So whoever stands on the roster is suspended when its certificate appears on a list, the platform's own key too,
and every service hears of it as of any loss.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from chassis import metrics
from chassis.database import TRANSIENT, Database, Work
from chassis.wallclock import WallClock
from contracts import topics
from contracts.envelope import derived_id
from contracts.parts import Actor
from evidence.certificates import Certificate, Purpose
from evidence.revocation import Revoked
from evidence.trust import Issuer
from signing import store
from signing.domain import losses
from signing.domain.losses import Suspension
from signing.revoked import RevokedList

REASON: Final = "证书已被签发机构吊销"
RETRY_SECONDS: Final = 0.5

log = structlog.get_logger()


class Revoking:
    """Suspends who is on the roster, or is the `platform`'s own, and on a list that `revoked` fetched."""

    def __init__(self, database: Database, wallclock: WallClock, revoked: RevokedList, platform: Certificate) -> None:
        self._database = database
        self._wallclock = wallclock
        self._revoked = revoked
        self._platform = platform

    async def follow(self) -> None:
        """Hear every new list for as long as the service lives; the database may come and go."""
        while True:
            await self._revoked.is_new.wait()
            try:
                await self.hear()
            except TRANSIENT as trouble:
                log.warning("revoking.waits", trouble=repr(trouble))
                await asyncio.sleep(RETRY_SECONDS)

    async def hear(self) -> None:
        """Suspend whoever the lists of now revoke and is not suspended yet."""
        self._revoked.is_new.clear()
        try:
            for issuer, listed in self._revoked.of_issuers():
                if listed:
                    async with self._database.work() as work:
                        await self._suspend(work, issuer, listed)
        except BaseException:
            self._revoked.is_new.set()
            raise

    async def _suspend(self, work: Work, issuer: Issuer, listed: Mapping[str, Revoked]) -> None:
        found = await self._unsuspended(work, issuer, listed)
        earlier = await store.losses.earlier(work, found)
        for serial, holder in found.items():
            made = self._suspension(serial, holder, issuer, listed[serial])
            if await store.losses.add(work, made):
                await store.logins.end_all(work, serial)
                cause = derived_id("revoked", serial, made.suspended_at)
                work.say(topics.IDENTITY, losses.suspended(made, earlier[serial], cause))
                metrics.add("lianshen_certificates_suspended_total")

    async def _unsuspended(self, work: Work, issuer: Issuer, listed: Mapping[str, Revoked]) -> dict[str, str]:
        """Return who of a list is meant here and not suspended yet: serials, with their holders."""
        found = await store.losses.unsuspended(work, listed) if Purpose.LOGIN in issuer.purposes else {}
        own = self._platform
        is_listed = own.serial in listed and own.authority_key_id == issuer.certificate.key_id
        if is_listed and await store.losses.suspension(work, own.serial) is None:
            found[own.serial] = own.holder
        return found

    def _suspension(self, serial: str, holder: str, issuer: Issuer, one: Revoked) -> Suspension:
        """It counts from when the platform heard of it; what may have been misused goes back to the list's instant."""
        by = Actor(holder=issuer.certificate.holder, certificate=issuer.certificate.serial)
        since = self._wallclock.business(int(one.since.timestamp() * 1000))
        now = self._wallclock.now()
        return Suspension(serial, holder, REASON, min(since, now), now, by)
