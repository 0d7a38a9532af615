"""What documents carry of revocation is all there or not there at all; nothing waits for it (PAdES B-LT, Art. 16)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from department_worker.at_hand import STILL, AtHand
from evidence import trust
from evidence.long_term import LARGEST, NONE_AT_HAND, Evidence
from evidence.testing import HOUR, Authority, revoked, trust_folder

SEALS, CLOCKS = (Authority(f"{what}签发机构", Authority(f"Root of {what}")) for what in ("印章", "时间戳"))
STRANGER = Authority("印章签发机构", Authority())
NOW = datetime.now(UTC)
CHAINS = {one.der for each in (SEALS, CLOCKS) for one in (each.certificate, each.above.certificate) if each.above}
LISTS = {"issuing": SEALS.revocations(at=NOW - HOUR), "clocks": CLOCKS.revocations(at=NOW - HOUR)}
LONG = SEALS.revocations([revoked(SEALS.issue(), NOW)] * 8000, at=NOW - HOUR)
MORE = """
[[issuer]]
certificate = "clocks.pem"
root = "clocks-root.pem"
purposes = ["timestamp"]
algorithms = ["ecdsa-p256-sha256"]
crl = "clocks.crl"
grace_hours = 12

[[issuer]]
certificate = "persons.pem"
root = "clocks-root.pem"
purposes = ["login"]
algorithms = ["ecdsa-p256-sha256"]
crl = "persons.crl"
grace_hours = 12
"""


class House:
    """A worker under authorities for seals, for timestamps, and for persons, who seal nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = trust_folder(folder, SEALS, purposes='["seal"]')
        assert CLOCKS.above
        persons = Authority("个人签发机构", CLOCKS.above)
        for file, one in {"clocks.pem": CLOCKS, "clocks-root.pem": CLOCKS.above, "persons.pem": persons}.items():
            (folder / file).write_bytes(one.certificate.read.public_bytes(Encoding.PEM))
        with (folder / "trust.toml").open("a") as listed:
            listed.write(MORE)
        self.at_hand = AtHand(trust.load(folder), 60)

    async def evidence(self, **lists: bytes) -> Evidence:
        """Return what is at hand once the authorities have published `lists`."""
        for name, der in lists.items():
            (self.folder / f"{name}.crl").write_bytes(der)
        await self.at_hand.fetch()
        return self.at_hand.evidence()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_the_lists_of_both_authorities_are_at_hand_with_their_chains(house: House) -> None:
    told = await house.evidence(**LISTS)
    assert (set(told.lists), set(told.certificates)) == (set(LISTS.values()), CHAINS)


@pytest.mark.parametrize(
    "lists",
    [
        {"issuing": LONG},
        {"clocks": CLOCKS.revocations(at=NOW - 24 * HOUR + STILL / 2)},
        {"issuing": SEALS.revocations(at=NOW - 25 * HOUR)},
        {"issuing": STRANGER.revocations(at=NOW - HOUR)},
        {"issuing": b""},
    ],
    ids=["too long", "about to end", "over", "of a stranger", "nothing"],
)
async def test_half_of_what_it_takes_is_nothing(house: House, lists: dict[str, bytes]) -> None:
    assert len(LONG) > LARGEST
    assert await house.evidence(**LISTS | lists) == NONE_AT_HAND
    assert await house.evidence(**LISTS) != NONE_AT_HAND


async def test_a_list_that_is_not_there_any_more_counts_until_it_ends(house: House) -> None:
    told = await house.evidence(**LISTS)
    (house.folder / "issuing.crl").unlink()
    assert await house.evidence() == told


async def test_a_list_never_goes_back(house: House) -> None:
    newer = SEALS.revocations(at=NOW, number=2)
    told = await house.evidence(**LISTS | {"issuing": newer})
    assert newer in told.lists
    assert await house.evidence(**LISTS) == told


def test_before_anything_is_fetched_nothing_is_at_hand(house: House) -> None:
    assert house.at_hand.evidence() == NONE_AT_HAND
