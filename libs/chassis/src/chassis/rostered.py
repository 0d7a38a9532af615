"""The roster as one service knows it (Art. 18): the last word on every holder, by certificate; and when a certificate
did not count (Art. 20).

Nobody is sent away by a roster of which something stands unread, and at start nobody is judged at all before it was
read to its end: `Roster` tells when it may be judged by. Of a loss, `chassis.standing` hears first, but not since when
a key is lost: it only makes this view catch up, and the view judges by the instant. So what was done before a loss
counts, and what was done after it does not, whichever arrives first.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from pydantic import TypeAdapter

from chassis.bus import Bus, NotNow, Received
from chassis.database import Connection, Work
from chassis.standing import Standing
from contracts import topics
from contracts.codes import DepartmentCode, ItemCode, JurisdictionCode
from contracts.signing import CertificateReinstated, CertificateSuspended, RosterEntry, RosterListed
from procedure.refusals import Refusal
from procedure.roster import Record, Suspended, hold_to_record, may_act

DDL: Final = """
CREATE TABLE roster (
    serial text PRIMARY KEY,
    holder text NOT NULL,
    entries text NOT NULL
);
"""

SUSPENSIONS: Final = """
CREATE TABLE suspensions (
    serial text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz,
    PRIMARY KEY (serial, since)
);
"""
SAYS: Final = (RosterListed, CertificateSuspended, CertificateReinstated)
"""What this view is made of."""

IdentitySaid = RosterListed | CertificateSuspended | CertificateReinstated
Entries = tuple[RosterEntry, ...]
_ENTRIES: Final = TypeAdapter(Entries)
_OF = """
    SELECT serial, entries, NULL::timestamptz AS since, NULL::timestamptz AS until
    FROM roster WHERE serial = ANY($1::text[])
    UNION ALL
    SELECT serial, NULL, since, until FROM suspensions WHERE serial = ANY($1::text[])
"""
_KEEP = """
    INSERT INTO roster (serial, holder, entries) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT (serial) DO UPDATE SET holder = excluded.holder, entries = excluded.entries
"""
_SUSPEND = """
    INSERT INTO suspensions (serial, since) SELECT * FROM unnest($1::text[], $2::timestamptz[]) ON CONFLICT DO NOTHING
"""
_EARLIER = """
    INSERT INTO suspensions (serial, since, until)
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[])
    ON CONFLICT (serial, since) DO UPDATE SET until = excluded.until
"""
_REINSTATE = """
    UPDATE suspensions AS s SET until = told.at FROM unnest($1::text[], $2::timestamptz[]) AS told (serial, at)
    WHERE s.serial = told.serial AND s.since <= told.at AND s.until IS NULL
"""
PATIENCE_SECONDS: Final = 5.0
"""How long a person over HTTP waits for Kafka to tell where the topic ends."""


class RosterNotRead(Refusal):
    """责任人名单正在同步，请稍后再试"""

    article = None
    status = 503


class Roster:
    """Who may act, asked inside a unit of work, over what `bus` has read; `standing` hears of losses first."""

    def __init__(self, bus: Bus, standing: Standing) -> None:
        self._bus = bus
        self._standing = standing
        self._was_read = False

    async def judging(
        self, work: Work, serials: Collection[str], lets_all_act: Callable[[Mapping[str, Record]], bool]
    ) -> Mapping[str, Record] | None:
        """Return what is known of `serials`, or None while it must not be judged by.

        One small query where `lets_all_act` by what is known and none of them is lost. Before anybody is refused, and
        before the first judgement of this process, the identity topic is read to its end as it is now. Raises NotNow
        when Kafka does not answer.
        """
        known = await records_of(work.connection, serials)
        if self._was_read and self._standing.lets_pass(serials) and lets_all_act(known):
            return known
        if not await self._bus.has_read_to_end([topics.IDENTITY.name], work):
            return None
        self._was_read = True
        return await records_of(work.connection, serials)

    async def hold(
        self,
        work: Work,
        serial: str,
        at: datetime,
        jurisdiction: JurisdictionCode,
        department: DepartmentCode,
        item_code: ItemCode,
    ) -> None:
        """Hold one person's act to what is known as of `at`.

        Raises CertificateIsSuspended, NotOnRoster, or RosterNotRead for now.
        """

        def lets_act(known: Mapping[str, Record]) -> bool:
            return may_act(known[serial], at, jurisdiction, department, item_code)

        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                known = await self.judging(work, [serial], lets_act)
        except (NotNow, TimeoutError):
            known = None
        if known is None:
            raise RosterNotRead
        hold_to_record(known[serial], at, jurisdiction, department, item_code)


async def on_identity(events: Sequence[Received[IdentitySaid]], work: Work) -> None:
    """The roster of a holder changed: each event says all that holds, has held and will hold. Or a certificate was
    lost, or counts again: each counts from its own instant, so it does not matter that they are applied by kind, and
    each says the suspensions before it, because the topic keeps the last word on a certificate alone."""
    said = [received.event for received in events]
    await _list([one for one in said if isinstance(one, RosterListed)], work)
    standing = [one for one in said if not isinstance(one, RosterListed)]
    lost = [(one.serial, one.suspended_at) for one in standing if isinstance(one, CertificateSuspended)]
    ended = {(one.serial, span.since): span.until for one in standing for span in one.earlier}
    found = [(one.serial, one.reinstated_at) for one in standing if isinstance(one, CertificateReinstated)]
    earlier = [(*key, until) for key, until in ended.items()]
    for statement, told in ((_SUSPEND, lost), (_EARLIER, earlier), (_REINSTATE, found)):
        if told:
            await work.execute(statement, *map(list, zip(*told, strict=True)))


async def _list(said: Sequence[RosterListed], work: Work) -> None:
    last = {one.serial: one for one in said}
    told = [last[serial] for serial in sorted(last)]
    if told:
        entries = [_ENTRIES.dump_json(one.entries).decode() for one in told]
        await work.execute(_KEEP, [one.serial for one in told], [one.holder for one in told], entries)


async def records_of(connection: Connection, serials: Collection[str]) -> dict[str, Record]:
    """Return what is known of the holders of certificates; an empty record for one of whom nothing is."""
    entries, suspensions = dict[str, Entries](), dict[str, tuple[Suspended, ...]]()
    for serial, text, since, until in await connection.fetch(_OF, list(serials)):
        if text is None:
            suspensions[serial] = (*suspensions.get(serial, ()), Suspended(since, until))
        else:
            entries[serial] = _entries(text)
    return {serial: Record(entries.get(serial, ()), suspensions.get(serial, ())) for serial in serials}


@lru_cache(4096)
def _entries(text: str) -> Entries:
    return _ENTRIES.validate_json(text)
