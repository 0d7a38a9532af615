"""Seals: how much of a bare token is left once what it signs is a signature that stands in court; and logins.

Four scales in one run. CMS and bare token: the same token, in this process, by turns: python-pkcs11 alone, then the
path that signing takes (attributes, token, verification, CMS put together). Batches: opinions on the topic of seal
requests, answered through the running service. Documents: everything stands printed on the topic while signing is
away; from its return until the last document is sealed, judged, filed and its item concluded. Login: from challenge to
session.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import httpx
import pkcs11
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.machine import machine
from contracts import topics
from contracts.codes import ItemCode, ProjectCode, Sha256
from contracts.department_worker import DocumentIssued, ItemConcluded, SealRequested
from contracts.envelope import Event, derived_id, encode
from contracts.parts import Actor
from contracts.signing import SealCompleted
from contracts.terms import DocumentKind, ProcessType, Role, SealForm, Stage
from evidence import seals, signatures
from evidence.certificates import Certificate, Purpose
from evidence.seals import signer_of
from evidence.testing import Authority as Issuer
from evidence.testing_documents import office
from local import authority, tokens
from local.authority import SEALS, Authority, Wanted
from local.builder import People
from local.posts import person
from local.suite import Suite
from procedure.notices import NOTICES
from signing.token.door import Limits, TokenDoor
from signing.token.module import SIGN

RESULT = Path(__file__).parent / "results" / "seals.json"
THREADS, SHARE = 2, 256
PLACE = "210281"
TYPE, STAGE = ProcessType.SOCIAL_GENERAL, Stage.LAND_USE
QUIET_SECONDS = 8.0
CONCLUDED, ISSUED = ItemConcluded.__name__, DocumentIssued.__name__
BARS = {"cms_of_bare": 0.85, "pdf_per_second": 25, "batch_per_second": 2000, "login_ms_p50": 60}
KEYS = {"ecdsa-p256-sha256": "bench.EC", "rsa-sha256": "bench.RSA"}


def main(arguments: list[str]) -> int:
    """Measure, print and write the figures; exit 1 when a request was not answered, or its seal proves nothing."""
    parser = argparse.ArgumentParser(prog="./run bench seals", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn at the bare token and at CMS")
    parser.add_argument("--batch", type=int, default=20_000, help="opinions")
    parser.add_argument("--stages", type=int, default=60, help="stages whose documents are sealed")
    parser.add_argument("--logins", type=int, default=200)
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="lianshen-bench-") as folder:
        Path(folder).chmod(0o711)
        figures |= _by_algorithm(Path(folder), options.seconds)
        settings = {"LOG_LEVEL": "WARNING", "LOGIN_PER_MINUTE": "100000", "SIGNAL_BURST_STEPS": "0"}
        with Suite(Path(folder) / "suite", jurisdictions=("210200", PLACE), settings=settings) as suite:
            figures |= _logins(suite, options.logins)
            figures |= asyncio.run(_batches(suite, options.batch))
            figures |= asyncio.run(_documents(suite, options.stages))
    figures |= {"bars": BARS, "machine": machine()}
    print(json.dumps(figures, indent=2))
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if figures["unanswered"] else 0


def _tell(what: str) -> None:
    print(f"· {what} …", file=sys.stderr, flush=True)


# The token, bare and with CMS -----------------------------------------------------------------------------------


def _by_algorithm(folder: Path, seconds: float) -> dict[str, Any]:
    wanted = (Wanted(label, SEALS, label, Purpose.SEAL, algorithm=name) for name, label in KEYS.items())
    made = authority.prepare(folder / "authority", "http://127.0.0.1:1", *wanted)
    os.environ.update(made.environment(SEALS))
    each = {name: _one_token(made, name, label, seconds) for name, label in KEYS.items()}
    rsa = each["rsa-sha256"]
    return {
        "cms_per_second": rsa["cms_per_second"],
        "bare_token_per_second": rsa["bare_token_per_second"],
        "cms_of_bare": rsa["cms_of_bare"],
        "by_algorithm": each,
    }


def _one_token(made: Authority, algorithm: str, label: str, seconds: float) -> dict[str, float]:
    """Return the rates of one token, taken by turns, so that a machine that slows down slows both."""
    _tell(f"{algorithm}: the bare token and CMS by turns")
    bare, with_cms = [], []
    for _ in range(2):
        bare.append(_bare(made, algorithm, label, seconds))
        with_cms.append(asyncio.run(_cms(made, label, seconds)))
    rates = {"cms_per_second": statistics.mean(with_cms), "bare_token_per_second": statistics.mean(bare)}
    ratio = rates["cms_per_second"] / rates["bare_token_per_second"]
    return {**{name: round(rate) for name, rate in rates.items()}, "cms_of_bare": round(ratio, 3)}


def _bare(made: Authority, algorithm: str, label: str, seconds: float) -> float:
    """Return how many digests a second python-pkcs11 alone has signed, in as many threads as signing uses."""
    library = pkcs11.lib(str(tokens.proxy()))
    library.reinitialize()
    token = library.get_token(token_label=label)
    anchor = token.open(user_pin=(made.pins(SEALS) / label).read_text())
    until = time.monotonic() + seconds
    sign, digests = SIGN[algorithm], cycle(_digests(SHARE))

    def keep_signing() -> int:
        key = token.open().get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=label)
        count = 0
        while time.monotonic() < until:
            sign(key, next(digests))
            count += 1
        return count

    with ThreadPoolExecutor(THREADS) as pool:
        counts = [one.result() for one in [pool.submit(keep_signing) for _ in range(THREADS)]]
    anchor.close()
    return sum(counts) / seconds


async def _cms(made: Authority, label: str, seconds: float) -> float:
    """Return how many signatures a second signing's own path makes: each verified, each a whole CMS."""
    door = TokenDoor(
        tokens.proxy(), made.pins(SEALS), own_label=label, limits=Limits(threads=THREADS), allows_stand_in=True
    )
    certificate = await door.certificate(label)
    issuer, timestamp = Issuer(), office(Issuer()).clock.token(b"any")
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        signed = [signatures.attributes(digest, certificate) for digest in _digests(SHARE)]
        values = await door.sign([(label, sha256(one).digest()) for one in signed])
        whole = [
            signatures.assembled(told, one.value, certificate, (issuer.certificate,), timestamp)
            for told, one in zip(signed, values, strict=True)
        ]
        count += len(whole)
    return count / (time.monotonic() - began)


def _digests(count: int) -> list[bytes]:
    return [sha256(b"%d" % number).digest() for number in range(count)]


# Logins ---------------------------------------------------------------------------------------------------------


def _logins(suite: Suite, count: int) -> dict[str, Any]:
    _tell("logins")
    who = person(Role.SUPERVISOR, jurisdiction=PLACE)
    assert suite.keyring is not None
    suite.keyring.has(who)
    wanted = {"role": who.role.value, "jurisdiction": who.jurisdiction}
    took: list[float] = []
    with httpx.Client(base_url=f"{suite.url('signing')}/login", timeout=30) as client:
        for _ in range(count):
            began = time.perf_counter()
            nonce = client.post("/challenge").raise_for_status().json()["nonce"]
            token = suite.keyring.answer(who.serial, nonce)
            client.post("/session", json={"token": token, "as": wanted}).raise_for_status()
            took.append(1000 * (time.perf_counter() - began))
    cuts = statistics.quantiles(took, n=100)
    return {"login_ms": {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}}


# Topics ---------------------------------------------------------------------------------------------------------


class Heard(NamedTuple):
    """One message: its type, its value, and when the broker appended it (ms)."""

    kind: str
    value: bytes
    at: int

    @property
    def paper(self) -> str | None:
        """Which document was filed, if this tells of one."""
        named = {CONCLUDED: "item_id", ISSUED: "request_id"}.get(self.kind)
        return json.loads(self.value)[named] if named else None


def _kind(record: Any) -> str:
    return dict(record.headers)["ce_type"].decode()


def _places(topic: topics.Topic) -> list[TopicPartition]:
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]


async def _ends(suite: Suite, topic: topics.Topic) -> dict[TopicPartition, int]:
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=suite.bootstrap)
    await consumer.start()
    try:
        return await consumer.end_offsets(_places(topic))
    finally:
        await consumer.stop()


async def _say(suite: Suite, topic: topics.Topic, events: Iterable[Event]) -> None:
    producer: Any = AIOKafkaProducer(bootstrap_servers=suite.bootstrap, linger_ms=5)
    await producer.start()
    try:
        for event in events:
            one = encode(event, topic.name, "bench")
            await producer.send(topic.name, one.value.encode(), key=one.key.encode(), headers=one.headers)
        await producer.flush()
    finally:
        await producer.stop()


async def _heard(
    suite: Suite,
    topic: topics.Topic,
    since: dict[TopicPartition, int],
    enough: Callable[[Sequence[Heard]], bool],
    seconds: float = 300,
) -> list[Heard]:
    """Return what was said on a topic `since` then, once it is `enough`."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=suite.bootstrap)
    await consumer.start()
    consumer.assign(list(since))
    for place, offset in since.items():
        consumer.seek(place, offset)
    found: list[Heard] = []
    try:
        async with asyncio.timeout(seconds):
            while not enough(found):
                records = await consumer.getmany(timeout_ms=200)
                found += [Heard(_kind(one), one.value, one.timestamp) for many in records.values() for one in many]
    finally:
        await consumer.stop()
    return found


# Batches --------------------------------------------------------------------------------------------------------


async def _batches(suite: Suite, count: int) -> dict[str, Any]:
    _tell("opinions in batches")
    signers = _officers(suite)
    asked = {one.request_id: one for one in (_opinion(signers, number) for number in range(count))}
    await _register(suite, asked.values())
    before = await _ends(suite, topics.SEALS)
    began = time.time()
    await _say(suite, topics.SEAL_REQUESTS, asked.values())
    answers = await _heard(suite, topics.SEALS, before, lambda found: len(found) >= count)
    seconds = max(one.at for one in answers) / 1000 - began
    owners = {one.serial: one for one in _seal_certificates(suite)}
    proven = 0
    for one in answers:
        seal = SealCompleted.model_validate_json(one.value, extra="ignore")
        seals.hold(seal, bytes.fromhex(asked[seal.request_id].digest), signer_of(owners[seal.certificate]))
        proven += 1
    return {"batch_per_second": round(count / seconds), "batch_proven": proven, "unanswered": count - proven}


def _officers(suite: Suite) -> list[tuple[str, Actor]]:
    """Return each department with somebody on the roster who decides there."""
    logins = {code: suite.log_in("officer", jurisdiction=PLACE, department=code) for code in suite.departments()[PLACE]}
    return [(code, Actor(holder=one.who.holder, certificate=one.who.serial)) for code, one in logins.items()]


async def _register(suite: Suite, asked: Iterable[SealRequested]) -> None:
    """Enter what is asked for as decided: said on the bus, it would be parked by every other service."""
    now = datetime.now(UTC)
    rows = [
        (
            one.request_id,
            one.item_id,
            one.item_code,
            *one.seal.split("."),
            "GRANTED",
            one.actor.certificate,
            one.digest,
            now,
            False,
            "NONE",
        )
        for one in asked
    ]
    columns = "request_id item_id item_code jurisdiction department outcome certificate record decided_at special proof"
    connection: Any = await asyncpg.connect(suite.databases["signing"])
    await connection.copy_records_to_table("decisions", records=rows, columns=columns.split())
    await connection.close()


def _opinion(officers: Sequence[tuple[str, Actor]], number: int) -> SealRequested:
    department, actor = officers[number % len(officers)]
    made = derived_id("bench", number)
    return SealRequested(
        event_id=made,
        causation_id=made,
        occurred_at=datetime.now(UTC),
        project_code=ProjectCode(f"2018-210281-47-03-{number % 1_000_000:06}"),
        request_id=derived_id("request", number),
        item_id=UUID(int=number),
        item_code=ItemCode("S1-09"),
        document_kind=DocumentKind.OPINION,
        digest=Sha256(sha256(b"%d" % number).hexdigest()),
        seal=f"{PLACE}.{department}",
        actor=actor,
    )


def _seal_certificates(suite: Suite) -> Iterable[Certificate]:
    assert suite.authority is not None
    return [suite.authority.token(file.name, SEALS).certificate for file in suite.authority.pins(SEALS).iterdir()]


# Documents ------------------------------------------------------------------------------------------------------


async def _documents(suite: Suite, stages: int) -> dict[str, Any]:
    _tell("documents")
    people = People(suite)
    materials = people.materials(TYPE, STAGE)
    codes = [f"2018-210281-47-03-{500_000 + number}" for number in range(stages)]
    for code in codes:
        people.push(code, TYPE).raise_for_status()
    for code in suite.departments()[PLACE]:
        command = [sys.executable, "-m", "local.department", suite.bootstrap, PLACE, code]
        suite.add_process(f"department-{PLACE}-{code}", command, {})
    asked_from, told_from = await _ends(suite, topics.SEAL_REQUESTS), await _ends(suite, topics.ITEMS)
    people.builder()
    suite.process("signing").stop()
    for code in codes:
        people.declare(code, STAGE, materials).raise_for_status()
    waiting = await _heard(suite, topics.SEAL_REQUESTS, asked_from, _all_printed(stages))
    requests = [SealRequested.model_validate_json(one.value, extra="ignore") for one in waiting]
    papers = {_paper(one) for one in requests if one.form is SealForm.PDF}
    began = time.time()
    suite.process("signing").start()
    suite.process("signing").wait_ready()
    ready = time.time()

    def filed(found: Sequence[Heard]) -> dict[str, int]:
        return {paper: one.at for one in found if (paper := one.paper) in papers}

    told = await _heard(suite, topics.ITEMS, told_from, lambda found: len(filed(found)) == len(papers))
    last = max(filed(told).values()) / 1000
    return {
        "pdf": len(papers),
        "pdf_per_second": round(len(papers) / (last - ready), 1),
        "pdf_seconds": round(last - ready, 2),
        "signing_back_after_seconds": round(ready - began, 2),
    }


def _paper(asked: SealRequested) -> str:
    """What a document is known by once it is filed: a decision by its item, a notice by itself."""
    return str(asked.request_id if asked.document_kind in NOTICES else asked.item_id)


def _all_printed(stages: int) -> Callable[[Sequence[Heard]], bool]:
    """Whether no more is asked for: every stage's items have asked, but those that wait for others' results."""
    seen: list[tuple[int, float]] = []

    def holds(found: Sequence[Heard]) -> bool:
        if not seen or seen[-1][0] != len(found):
            seen.append((len(found), time.monotonic()))
        return len(found) >= stages and time.monotonic() - seen[-1][1] > QUIET_SECONDS

    return holds
