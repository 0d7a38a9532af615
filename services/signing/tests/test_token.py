"""The token door with the real module (SoftHSM2, p11-kit): the worst happens to tokens, and the door mends itself.

The HSM as a process of its own is p11-kit's server: it is killed, and stopped for longer than a call may take.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from evidence.algorithms import verifies
from evidence.certificates import Purpose
from evidence.seals import signer_of
from local import authority, tokens
from local.authority import SEALS, Authority, Wanted
from local.authority.seals import PLATFORM
from signing.token.door import USUAL, Limits, TokenDoor, TokenUnavailable
from signing.token.module import StandIn
from signing.token.pins import SUFFIX, PinFileUnsafe, WrongPin
from signing.token.probe import bears_threads

PLANNING, HOUSING, FORESTRY = "210281.GHJ", "210281.ZJJ", "210281.LYJ"
WANTED: Final = (
    Wanted(PLATFORM, SEALS, "联审平台", Purpose.SERVICE),
    Wanted(PLANNING, SEALS, "自然资源局", Purpose.SEAL),
    Wanted(HOUSING, SEALS, "住房和城乡建设局", Purpose.SEAL),
    Wanted(FORESTRY, SEALS, "林业局", Purpose.SEAL, algorithm="rsa-sha256"),
)
SOON: Final = 10.0
HANG_SECONDS: Final = 10.0


def digest(number: int = 0) -> bytes:
    return sha256(f"document {number}".encode()).digest()


def threads_are_fine(*_: Any) -> bool:
    return True


async def eventually(claim: Callable[[], Any]) -> Any:
    """Return what `claim` returns once it is true."""
    async with asyncio.timeout(SOON):
        while not (held := await claim()):
            await asyncio.sleep(0.02)
        return held


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Their tokens, made once."""
    return authority.prepare(tmp_path_factory.mktemp("authority"), "http://127.0.0.1:1", *WANTED)


@pytest.fixture
def seals(made: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """A copy of the tokens for one test to maltreat, and this process sees them."""
    shutil.copytree(made.folder, tmp_path / "authority", dirs_exist_ok=True)
    copy = Authority(tmp_path / "authority", made.url)
    for file in ("softhsm2.conf", "config/pkcs11/modules/softhsm2.module"):
        path = copy.folder / SEALS / file
        path.write_text(path.read_text().replace(str(made.folder), str(copy.folder)))
    for name, value in copy.environment(SEALS).items():
        monkeypatch.setenv(name, value)
    return copy


@pytest.fixture
def door(seals: Authority) -> TokenDoor:
    return opened(seals)


def opened(seals: Authority, **changes: Any) -> TokenDoor:
    settings = {"allows_stand_in": True, "probe": threads_are_fine} | changes
    return TokenDoor(tokens.proxy(), seals.pins(SEALS), **settings)


def remote(seals: Authority, **changes: Any) -> TokenDoor:
    """A door to the HSM that is a process of its own; the client has a lock of its own."""
    client = tokens.library(tokens.installed(), "pkcs11/p11-kit-client.so")
    settings = {"allows_stand_in": True, "probe": threads_are_fine} | changes
    return TokenDoor(client, seals.pins(SEALS), **settings)


class PulledOut:
    """The tokens' folder, taken away and put back."""

    def __init__(self, seals: Authority) -> None:
        self._here = seals.folder / SEALS / "tokens"
        self._away = seals.folder / SEALS / "away"

    def pull(self) -> None:
        self._here.rename(self._away)
        self._here.mkdir()

    def put_back(self) -> None:
        shutil.rmtree(self._here)
        self._away.rename(self._here)


class Hsm:
    """A process that holds the tokens; who uses them speaks to it through a socket."""

    def __init__(self, seals: Authority, socket: Path) -> None:
        self._socket = socket
        self._seals = seals
        self.start()

    def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        module = tokens.library(tokens.installed(), "libsofthsm2.so")
        command = ["p11-kit", "server", "-f", "-n", str(self._socket), "--provider", str(module), "pkcs11:"]
        environment = {**os.environ, **self._seals.environment(SEALS)}
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the HSM listens; its client reads the address once in the life of a process."""
    return tmp_path_factory.mktemp("hsm") / "socket"


@pytest.fixture
def hsm(seals: Authority, socket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hsm]:
    running = Hsm(seals, socket)
    monkeypatch.setenv("P11_KIT_SERVER_ADDRESS", f"unix:path={socket}")
    yield running
    if running.is_alive:
        running.signal(signal.SIGCONT)
        running.kill()


async def test_an_rsa_key_signs_like_any_other(door: TokenDoor) -> None:
    ours, theirs = await door.sign([(FORESTRY, digest()), (PLANNING, digest())])
    assert (ours.algorithm, theirs.algorithm) == ("rsa-sha256", "ecdsa-p256-sha256")
    key = signer_of(ours.certificate).key
    assert verifies(ours.algorithm, key, ours.value, digest()) and not verifies(
        ours.algorithm, key, ours.value, digest(1)
    )


async def test_each_seal_signs_with_its_own_key(door: TokenDoor, seals: Authority) -> None:
    orders = [(label, digest(number)) for number, label in enumerate([PLANNING, HOUSING, PLANNING] * 20)]
    made = await door.sign(orders)
    assert len(made) == len(orders)
    for (label, _), signature in zip(orders, made, strict=True):
        assert signature.certificate == seals.token(label, SEALS).certificate
        assert signature.algorithm == "ecdsa-p256-sha256"
    assert made[0].certificate.has_signed(b"document 0", made[0].value)
    assert not made[1].certificate.has_signed(b"document 0", made[1].value)


async def test_many_callers_sign_side_by_side(door: TokenDoor) -> None:
    asked = [door.sign([(PLANNING, digest(number))]) for number in range(18)]
    made = await asyncio.gather(*asked)
    assert all(one.certificate.has_signed(f"document {n}".encode(), one.value) for n, (one,) in enumerate(made))


async def test_who_asks_for_little_does_not_wait_behind_a_long_list(door: TokenDoor) -> None:
    long = asyncio.ensure_future(door.sign([(FORESTRY, digest(number)) for number in range(2000)]))
    for number in range(3):
        await door.sign([(PLANNING, digest(number))])
        assert not long.done()
    assert all(one.certificate.has_signed(f"document {n}".encode(), one.value) for n, one in enumerate(await long))


async def test_one_order_that_fails_ends_the_list_and_its_threads_are_free(door: TokenDoor) -> None:
    orders = [(FORESTRY, digest(number)) for number in range(20_000)]
    orders[1] = ("nobody", digest())
    with pytest.raises(PinFileUnsafe):
        await door.sign(orders)
    async with asyncio.timeout(SOON / 4):  # the rest of the list would keep the threads busy for longer
        assert await door.sign([(PLANNING, digest())] * 10)


async def test_a_token_that_is_pulled_out_closes_the_gate_and_opens_it_when_it_is_back(
    door: TokenDoor, seals: Authority
) -> None:
    assert await door.is_open()
    await door.sign([(PLANNING, digest())])
    token = PulledOut(seals)
    token.pull()
    assert not await door.is_open()
    with pytest.raises(TokenUnavailable):
        await door.sign([(PLANNING, digest())])
    token.put_back()
    assert await eventually(door.is_open)
    assert await door.sign([(PLANNING, digest()), (HOUSING, digest())])


async def test_a_token_that_is_not_there_at_the_start_is_found_when_it_comes(seals: Authority) -> None:
    token = PulledOut(seals)
    token.pull()
    door = opened(seals)
    assert not await door.is_open()
    token.put_back()
    assert await eventually(door.is_open)


async def test_an_hsm_process_that_is_killed_is_used_again_when_it_is_back(hsm: Hsm, seals: Authority) -> None:
    door = remote(seals)
    await eventually(door.is_open)
    await door.sign([(PLANNING, digest())])
    hsm.kill()
    with pytest.raises(TokenUnavailable):
        await door.sign([(PLANNING, digest())])
    assert not await door.is_open()
    hsm.start()
    assert await eventually(door.is_open)
    assert await door.sign([(PLANNING, digest())])


async def test_a_hang_closes_the_gate_in_time_and_nobody_restarts_anything(hsm: Hsm, seals: Authority) -> None:
    door = remote(seals, limits=Limits(seconds=0.5))
    await eventually(door.is_open)
    await door.sign([(PLANNING, digest())])
    hsm.signal(signal.SIGSTOP)
    turns, loop = 0, asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(4):
        with pytest.raises(TokenUnavailable):
            async with asyncio.timeout(2):
                await door.sign([(PLANNING, digest())])
        assert not await door.is_open()
        turns += 1
    assert (turns, loop.time() - begun < 8) == (4, True)
    hsm.signal(signal.SIGCONT)
    assert await eventually(door.is_open)
    assert await door.sign([(PLANNING, digest())])


async def test_a_hang_of_ten_seconds_is_ended_by_the_limit_of_production_and_heals_by_itself(
    hsm: Hsm, seals: Authority
) -> None:
    """What was asked before the hang is given up at the limit; what is asked again after it is sealed, once."""
    door, loop = remote(seals), asyncio.get_running_loop()
    await eventually(door.is_open)
    await door.sign([(PLANNING, digest())])
    hsm.signal(signal.SIGSTOP)
    begun = loop.time()
    goes_on = loop.call_later(HANG_SECONDS, hsm.signal, signal.SIGCONT)
    with pytest.raises(TokenUnavailable):
        await door.sign([(PLANNING, digest())])
    assert USUAL.seconds <= loop.time() - begun < HANG_SECONDS
    assert not await door.is_open()
    await eventually(door.is_open)
    assert loop.time() >= goes_on.when()
    (made,) = await door.sign([(PLANNING, digest())])
    assert made.certificate.has_signed(b"document 0", made.value)


async def test_the_loop_turns_while_the_token_hangs(hsm: Hsm, seals: Authority) -> None:
    door = remote(seals, limits=Limits(seconds=1))
    await eventually(door.is_open)
    hsm.signal(signal.SIGSTOP)
    asked = asyncio.ensure_future(door.sign([(PLANNING, digest())]))
    turns = 0
    while not asked.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 20
    with pytest.raises(TokenUnavailable):
        asked.result()
    hsm.signal(signal.SIGCONT)
    assert await eventually(door.is_open)


async def test_who_finds_the_room_full_comes_again_and_those_inside_are_served(hsm: Hsm, seals: Authority) -> None:
    door = remote(seals, limits=Limits(threads=2, waiting=3, seconds=5))
    await eventually(door.is_open)
    hsm.signal(signal.SIGSTOP)
    inside = [asyncio.ensure_future(door.sign([(PLANNING, digest(number))])) for number in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(TokenUnavailable, match="wait for the tokens already"):
        await door.sign([(PLANNING, digest(9))])
    hsm.signal(signal.SIGCONT)
    made = await asyncio.gather(*inside)
    assert all(one.certificate.has_signed(f"document {n}".encode(), one.value) for n, (one,) in enumerate(made))
    assert await door.sign([(PLANNING, digest(9))])


def spoil_pin(seals: Authority, label: str, pin: str) -> str:
    file = seals.pins(SEALS) / label
    right = file.read_text()
    file.unlink()
    file.touch(mode=0o600)
    file.write_text(pin)
    file.chmod(0o400)
    return right


async def test_a_pin_that_could_not_be_latched_is_not_even_tried(
    seals: Authority, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As of a Secret that is mounted read-only: each probe and each start would try it again."""
    spoil_pin(seals, PLANNING, "00000000")
    door = opened(seals, latches=tmp_path / "not there")
    for _ in range(3):
        with pytest.raises(PinFileUnsafe, match="latched"):
            await door.sign([(PLANNING, digest())])
    assert "token.wrong_pin" not in capfd.readouterr().out


async def test_a_wrong_pin_is_tried_once_and_remembered_over_a_restart(
    seals: Authority, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    right = spoil_pin(seals, PLANNING, "00000000")
    for door in (opened(seals), opened(seals)):
        with pytest.raises(WrongPin):
            await door.sign([(PLANNING, digest())])
        assert await door.sign([(HOUSING, digest())])
    spoil_pin(seals, PLANNING, right)
    with pytest.raises(WrongPin, match="not tried again"):
        await door.sign([(PLANNING, digest())])
    (seals.pins(SEALS) / f"{PLANNING}{SUFFIX}").unlink()
    assert await door.sign([(PLANNING, digest())])
    told = "".join(capfd.readouterr())
    assert "token.wrong_pin" in told
    assert told.count("token.wrong_pin") == 1
    assert right not in told
    assert "00000000" not in told


async def test_a_pin_that_others_may_read_is_not_used(door: TokenDoor, seals: Authority) -> None:
    (seals.pins(SEALS) / PLANNING).chmod(0o440)
    with pytest.raises(PinFileUnsafe, match="mode 0440"):
        await door.sign([(PLANNING, digest())])


@pytest.mark.parametrize("label", ["", "nobody", "../pins/platform", "x" * 33, f"{PLANNING}{SUFFIX}"])
async def test_a_seal_without_a_token_closes_nothing(door: TokenDoor, label: str) -> None:
    with pytest.raises(PinFileUnsafe):
        await door.sign([(label, digest())])
    assert await door.sign([(PLANNING, digest())])


async def test_a_software_token_is_refused_in_production(seals: Authority) -> None:
    door = opened(seals, allows_stand_in=False)
    with pytest.raises(StandIn):
        await door.sign([(PLANNING, digest())])
    assert not await door.is_open()


async def test_a_key_that_could_have_left_its_token_is_refused(door: TokenDoor, seals: Authority) -> None:
    _make_leaky(seals, PLANNING)
    with pytest.raises(TokenUnavailable, match="is not"):
        await door.sign([(PLANNING, digest())])
    assert await door.sign([(HOUSING, digest())])


def _make_leaky(seals: Authority, label: str) -> None:
    """In a process of its own, put a key that may be read in the place of a token's key."""
    program = """
import sys, pkcs11
from pathlib import Path
from pkcs11.util.ec import encode_named_curve_parameters
label, pin = sys.argv[1], Path(sys.argv[2]).read_text()
session = pkcs11.lib(sys.argv[3]).get_token(token_label=label).open(rw=True, user_pin=pin)
for kind in (pkcs11.ObjectClass.PRIVATE_KEY, pkcs11.ObjectClass.PUBLIC_KEY):
    session.get_key(kind, label=label).destroy()
curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
parameters = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
kept = {pkcs11.Attribute.SENSITIVE: False, pkcs11.Attribute.EXTRACTABLE: True}
parameters.generate_keypair(store=True, label=label, id=label.encode(), private_template=kept)
"""
    module = tokens.library(tokens.installed(), "libsofthsm2.so")
    import sys

    subprocess.run([sys.executable, "-c", program, label, str(seals.pins(SEALS) / label), str(module)], check=True)


def test_the_probe_passes_the_proxy_and_knows_nothing_of_a_module_that_is_none(
    seals: Authority, tmp_path: Path
) -> None:
    pins = seals.pins(SEALS)
    assert bears_threads(tokens.proxy(), PLATFORM, pins, None)
    with pytest.raises(TokenUnavailable, match="could not open"):
        bears_threads(tmp_path / "no.so", PLATFORM, pins, None)


def test_the_probe_outlives_a_module_that_crashes_under_threads(
    seals: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The crash is staged where Python starts: the probe's threads meet a signal, as they would in C."""
    staged = (
        "import os, signal\nfrom signing.token.module import Module\n"
        "Module.holds = lambda *_: os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    (tmp_path / "sitecustomize.py").write_text(staged)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert not bears_threads(tokens.proxy(), PLATFORM, seals.pins(SEALS), None)


async def test_a_door_that_finds_no_hsm_at_the_start_probes_it_when_it_comes(hsm: Hsm, seals: Authority) -> None:
    hsm.kill()
    door = remote(seals, probe=bears_threads)
    assert not await door.is_open()
    hsm.start()
    assert await eventually(door.is_open)
    made = await asyncio.gather(*(door.sign([(PLANNING, digest(number))]) for number in range(8)))
    assert len(made) == 8


async def test_a_module_that_bears_no_threads_is_used_by_one_at_a_time(seals: Authority) -> None:
    door = opened(seals, probe=lambda *_: False)
    made = await asyncio.gather(*(door.sign([(PLANNING, digest(number))]) for number in range(8)))
    assert all(one.certificate.has_signed(f"document {n}".encode(), one.value) for n, (one,) in enumerate(made))
