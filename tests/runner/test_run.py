"""The one door: what it prints, what it refuses in one line with the mend, and that nothing is left behind."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from local.__main__ import VERBS
from local.builder import eventually
from local.suite import ROOT

RUN = str(ROOT / "run")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    held = {**os.environ, **environment}
    return subprocess.run([RUN, *arguments], env=held, capture_output=True, text=True, timeout=120, cwd=ROOT)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_tells_how_it_is_used(verb: str) -> None:
    told = run(verb, "--help")
    assert told.returncode == 0, told.stderr
    assert verb in told.stdout and "usage" in told.stdout.lower()


def test_the_list_of_verbs_is_whole_and_an_unknown_one_is_one_line() -> None:
    listed = run("--help").stdout
    assert all(verb in listed for verb in VERBS)
    unknown = run("dance")
    assert (unknown.returncode, len(unknown.stderr.splitlines())) == (2, 1)


def test_the_demo_tells_its_story_and_every_check_holds() -> None:
    told = run("demo")
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-4000:]
    assert "all checks held" in told.stdout
    for words in ("到期自动收回", "第十四条", "补正", "退回", "催办", "阶段办结", "审批结果通知"):
        assert words in told.stdout, words


class Up:
    """A `./run up` of its own, with its own ports and folder."""

    def __init__(self, folder: Path) -> None:
        self.base = _free_base()
        self.environment = {"LIANSHEN_PORT_BASE": str(self.base), "LIANSHEN_FOLDER": str(folder / "up")}
        self.output = folder / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        held = {**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [RUN, "up"], env=held, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True
            )
        self.wait_for("all ready")

    def wait_for(self, words: str, seconds: float = 60.0) -> str:
        return eventually(self.output.read_text, lambda text: words in text, seconds)

    def ready(self, place: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.base + place}/health/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def listener(self, place: int) -> int | None:
        for one in psutil.net_connections("tcp"):
            if one.status == "LISTEN" and one.laddr and one.laddr.port == self.base + place:
                return one.pid
        return None

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


PLACES = (1, 2, 3, 4, 5, 6, 7332, 10992)


def _free_base() -> int:
    """Where the suite's ports lie neither among those of other tests (`ports.FREE`) nor among the kernel's."""
    for base in range(21_000, 21_700, 97):
        if not any(_taken(base + place) for place in (0, *PLACES, 10_993)):
            return base
    raise AssertionError("no free ports")


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    for path in (tmp_path, *tmp_path.parents[:3]):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)
    one = Up(tmp_path)
    yield one
    one.kill()


def test_up_stays_up_restarts_what_dies_and_leaves_nothing_behind(up: Up) -> None:
    up.start()
    assert all(up.ready(place) for place in PLACES[:6])
    second = run("up", **up.environment)
    assert second.returncode == 1 and "already up" in second.stderr and len(second.stderr.splitlines()) == 1
    for place, name in ((2, "dispatcher"), (7332, "postgres"), (10992, "kafka")):
        pid = up.listener(place)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        up.wait_for(f"!! {name} DIED")
        eventually(lambda place=place, pid=pid: up.listener(place), lambda now, pid=pid: now not in (None, pid), 60)
    eventually(lambda: all(up.ready(place) for place in PLACES[:6]), bool, 60)
    down = run("down", "--wipe", **up.environment)
    assert "stopped" in down.stdout and "data wiped" in down.stdout
    assert up.process is not None and up.process.wait(30) == 0
    assert [place for place in PLACES if _taken(up.base + place)] == []
    assert "nothing was up" in run("down", **up.environment).stdout


def test_a_crash_of_the_runner_leaves_no_process_and_no_lock(up: Up) -> None:
    up.start()
    up.kill()
    eventually(lambda: [place for place in PLACES if _taken(up.base + place)], lambda taken: taken == [], 20)
    up.output.unlink()
    up.start()
    assert run("down", **up.environment).returncode == 0


def test_a_port_in_use_is_one_line_that_names_it_and_the_mend(up: Up) -> None:
    with socket.create_server(("127.0.0.1", up.base + 3)):
        refused = run("up", **up.environment)
    assert refused.returncode == 1 and len(refused.stderr.splitlines()) == 1
    assert str(up.base + 3) in refused.stderr and "LIANSHEN_PORT_BASE" in refused.stderr


def test_doctor_names_what_is_there() -> None:
    told = run("doctor", LIANSHEN_PORT_BASE=str(_free_base()))
    assert told.returncode == 0, told.stdout
    assert all(name in told.stdout for name in ("Python", "Kafka's jars", "PostgreSQL", "SoftHSM2", "p11-kit"))
