"""The whole suite on this machine: real Kafka, real PostgreSQL, a token, and the six services as processes.

`./run up`, the demo, the bench and the tests all use this one. Parts that the environment names are not started.
"""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import httpx

from chassis.catalogue import load
from contracts.codes import DepartmentCode, JurisdictionCode
from contracts.topics import TOPICS, Topic, department_topics
from local import authority, children, fonts, ports
from local.authority import PLATFORM, Authority
from local.authority.seals import signing_environment, wanted_seals
from local.kafka import Kafka, create_topics
from local.people import STANDING, Keyring, Login, agents_command, wanted_person
from local.postgres import Postgres, create_databases
from local.posts import Person, development_roster, person
from local.processes import PROCESSES, Process
from local.trouble import Trouble
from procedure.notices import WINDOW

ROOT: Final = Path(__file__).resolve().parents[2]
CATALOGUE: Final = ROOT / "catalogue" / "dalian"
READY_SECONDS: Final = 40.0
INHERITED: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "PYTHONPATH",
    "TMPDIR",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "LOG_LEVEL",
)


class Child:
    """One process of the suite: it can be killed, stopped, and started again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        url: str = "",
        niceness: int = 0,
    ) -> None:
        self.name = name
        self.url = url
        self.log = log
        self._command = command
        self._environment = environment
        self._niceness = niceness
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        self.process = children.start(self._command, self.log, self._environment, folder=ROOT)
        os.setpriority(os.PRIO_PROCESS, self.process.pid, self._niceness)

    def stop(self) -> None:
        children.stop(self.process)

    def kill(self) -> None:
        children.kill(self.process)

    def signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when the service may be given work. Raises Trouble with the end of its log."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self.alive:
                raise Trouble(f"{self.name} ended at once:\n{children.tail(self.log)}")
            if self.url and is_ready(self.url):
                return
            time.sleep(0.05)
        raise Trouble(f"{self.name} was not ready within {seconds:.0f} s:\n{children.tail(self.log)}")


def migrate(packages: Sequence[str]) -> None:
    """Bring databases to their newest schema; each is `package=url`."""
    done = subprocess.run([sys.executable, "-m", "chassis.migrate", *packages], cwd=ROOT, capture_output=True)
    if done.returncode:
        raise Trouble(f"migrations failed: {done.stderr.decode()[-1500:]}")


def development_grants(departments: Iterable[tuple[str, str]], windows: Iterable[str]) -> str:
    """Return what seals may be put on, for development: each department's on its own decisions, opinions and notices,
    each window's on what it is asked for, at any time."""
    kinds = dict.fromkeys(departments, "DECISION REFUSAL OPINION ACCEPTANCE NOT_ACCEPTED CORRECTION")
    kinds |= {(place, WINDOW): "WINDOW_NOTICE RECEIPT" for place in windows}
    rows = [f"{place}.{code},{place},{code},{those},2000-01-01T00:00:00Z," for (place, code), those in kinds.items()]
    return "\n".join(["seal,jurisdiction,department,kinds,since,until", *rows, ""])


def is_ready(url: str) -> bool:
    """Whether the service at `url` may be given work."""
    try:
        return httpx.get(f"{url}/health/ready", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


class Suite:
    """Everything that runs in `folder`. `jurisdictions` are those whose departments have topics."""

    def __init__(
        self,
        folder: Path,
        numbers: Mapping[str, int] | None = None,
        jurisdictions: Sequence[str] = ("210200", "210281"),
        settings: Mapping[str, str] | None = None,
        processes: Sequence[Process] = PROCESSES,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder = folder
        self.ports = dict(numbers or ports.free())
        self.jurisdictions = tuple(map(JurisdictionCode, jurisdictions))
        self.city = load(CATALOGUE)
        self._settings = dict(settings or {})
        self._processes = processes
        self._say = say
        folder.mkdir(parents=True, exist_ok=True)
        self._logins: dict[Person, Login] = {}
        self.roster = folder / "roster.csv"
        self.grants = folder / "grants.csv"
        self.kafka = Kafka(folder / "kafka", self.ports["kafka"], self.ports["kafka-controller"])
        self.postgres = Postgres(folder / "postgres", self.ports["postgres"])
        self.children: dict[str, Child] = {}
        self.authority: Authority | None = None
        self.keyring: Keyring | None = None
        self.offices: list[Child] = []
        self.databases: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.http = httpx.Client(timeout=30)

    # Starting and stopping --------------------------------------------------------------------------------------

    def __enter__(self) -> "Suite":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the basics side by side, then topics and migrations, then all services at once; return when ready."""
        began = time.monotonic()
        with ThreadPoolExecutor() as pool:
            basics = [pool.submit(run) for run in (self._start_kafka, self._start_postgres, self._open_offices)]
            for one in basics:
                one.result()
            self.seconds["basics"] = time.monotonic() - began
            made = [pool.submit(run) for run in (self._make_topics, self._migrate)]
            for one in made:
                one.result()
        self.seconds["topics and migrations"] = time.monotonic() - began
        self.start_services()
        self.seconds["all ready"] = time.monotonic() - began

    def start_services(self) -> None:
        """Start every service at once and wait until all are ready."""
        began = time.monotonic()
        self.roster.write_text(development_roster(self.city.catalogue))
        for process in self._processes:
            self.children[process.name] = self._child(process)
            self.children[process.name].start()
        for process in self._processes:
            self.children[process.name].wait_ready()
        self.seconds["services"] = time.monotonic() - began
        self._forget_logins()
        self._say(f"six services ready after {self.seconds['services']:.1f} s")

    def restart_services(self, settings: Mapping[str, str]) -> None:
        """Stop every service and start it anew with other settings; Kafka and PostgreSQL stay."""
        self.stop_services()
        self._settings |= settings
        self.start_services()

    def stop_services(self) -> None:
        """Stop every service; Kafka and PostgreSQL stay."""
        running = list(self.children.values())
        if running:
            with ThreadPoolExecutor(len(running)) as pool:
                list(pool.map(Child.stop, running))

    def stop(self) -> None:
        """Stop everything, the services first and side by side."""
        self.http.close()
        self._forget_logins()
        if self.keyring is not None:
            self.keyring.close()
        self.stop_services()
        for office in self.offices:
            office.stop()
        self.kafka.stop()
        self.postgres.stop()

    def _start_kafka(self) -> None:
        if "KAFKA_BOOTSTRAP_SERVERS" not in os.environ:
            self.kafka.start()
            self.kafka.wait_ready()
            self._say(f"Kafka 4.4 answers on {self.kafka.bootstrap}")

    def _start_postgres(self) -> None:
        if "DATABASE_URL_ADMIN" not in os.environ:
            self.postgres.start()
            self.postgres.wait_ready()
            self._say(f"PostgreSQL 18 answers on 127.0.0.1:{self.postgres.port}")
        self.databases = create_databases(self.admin_url, (one.name for one in self._processes), self._secret())

    def _secret(self) -> str:
        """The part of the services' database passwords that is random, made once per folder."""
        path = self.folder / "keys" / "databases"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(12))
        return path.read_text()

    def _open_offices(self) -> None:
        """Make the certificate authority with every seal of these jurisdictions, and let it and the agent answer."""
        if "PKCS11_MODULE" in os.environ or not any(one.name == "signing" for one in self._processes):
            return
        url = self.url("authority")
        wanted = (*wanted_seals(self.city, self.jurisdictions), *map(wanted_person, STANDING))
        made = self.authority = authority.prepare(self.folder / "authority", url, *wanted)
        self.keyring = Keyring(made, self.url("ca-agent"), self.url("signing"))
        agent = agents_command(made, self.ports["ca-agent"], self.url("signing"))
        self.offices = [self._office("authority", made.command), self._office("ca-agent", agent)]
        for office in self.offices:
            office.wait_ready()
        self._say(f"the development certificate authority answers on {url}, the agent on {self.url('ca-agent')}")

    def _office(self, name: str, command: Sequence[str]) -> Child:
        inherited = {one: os.environ[one] for one in INHERITED if one in os.environ}
        child = Child(name, command, inherited, self.folder / "logs" / f"{name}.log", self.url(name))
        child.start()
        return child

    def _make_topics(self) -> None:
        create_topics(self.bootstrap, self.topics())

    def topics(self) -> tuple[Topic, ...]:
        """Every topic of this suite."""
        return (*TOPICS, *department_topics(self._departments()))

    def _departments(self) -> list[tuple[JurisdictionCode, DepartmentCode]]:
        return [pair for place in self.jurisdictions for pair in self.city.catalogue.departments_of(place)]

    def departments(self) -> dict[str, list[str]]:
        """Return the departments that have items here, by jurisdiction."""
        return {place: [code for _, code in self.city.catalogue.departments_of(place)] for place in self.jurisdictions}

    def _migrate(self) -> None:
        migrate([f"{one.package}={self.databases[one.name]}" for one in self._processes])

    # Reaching the parts -----------------------------------------------------------------------------------------

    @property
    def bootstrap(self) -> str:
        return os.environ.get("KAFKA_BOOTSTRAP_SERVERS", self.kafka.bootstrap)

    @property
    def admin_url(self) -> str:
        return os.environ.get("DATABASE_URL_ADMIN") or self.postgres.admin_url

    def url(self, name: str) -> str:
        """Return where a service listens."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def process(self, name: str) -> Child:
        return self.children[name]

    def log_in(self, role: str, name: str = "", **claims: str) -> Login:
        """Return the session of whoever holds a post (`local.posts.person`), begun when it first comes.

        Raises Refused when the suite does not let it in.
        """
        who = person(role, name, **claims)
        if who not in self._logins:
            self._logins[who] = self.log_in_anew(who)
        return self._logins[who]

    def _forget_logins(self) -> None:
        for login in self._logins.values():
            login.close()
        self._logins.clear()

    def log_in_anew(self, who: Person) -> Login:
        """Return one more session of a person. Raises Refused."""
        assert self.keyring is not None, "whoever logs in needs signing"
        return Login(self.keyring, who)

    def environment(self, process: Process) -> dict[str, str]:
        """Return the whole environment of a service's process."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        return {
            **inherited,
            "SERVICE_NAME": process.name,
            "GROUP_INSTANCE": f"{process.name}-1",
            "ENVIRONMENT": "development",
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "DATABASE_URL": self.databases[process.name],
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(self.ports[process.name]),
            "CATALOGUE_PATH": str(CATALOGUE),
            "ROSTER_SEED_FILE": str(self.roster),
            "MATERIALS_URL": (self.folder / "materials").resolve().as_uri(),
            "DOCUMENTS_URL": (self.folder / "documents").resolve().as_uri(),
            **self._papers(),
            "WORKER_DEPARTMENTS": ",".join(f"{place}.*" for place in self.jurisdictions),
            "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
            **self._authority_environment(process),
            **dict(process.settings),
            **self._settings,
        }

    def _login_environment(self) -> dict[str, str]:
        """Where one logs in here; development asks sooner what was revoked, and nobody to come more slowly."""
        pem = self.folder / "authority" / "certificates" / f"{PLATFORM}.pem"
        return {
            "PLATFORM_CERTIFICATE_FILE": str(pem),
            "LOGIN_PER_MINUTE": "60000",
            "REVOCATION_SECONDS": "5",
        }

    def _authority_environment(self, process: Process) -> dict[str, str]:
        """Whom everybody trusts, and, for signing alone, the tokens of the seals and of the platform."""
        if self.authority is None:
            return {}
        trust = {
            "TRUST_FOLDER": str(self.authority.trust),
            "TSA_URL": f"{self.authority.url}/tsa",
            "LOGIN_ORIGIN": self.url("signing"),
        }
        if process.package != "signing":
            return trust
        return trust | signing_environment(self.authority) | self._login_environment()

    def _papers(self) -> dict[str, str]:
        """Documents are printed and sealed where there is somebody to vouch for their seals."""
        if self.authority is None:
            return {"DOCUMENT_FORM": "digest"}
        self.grants.write_text(development_grants(self._departments(), self.jurisdictions))
        return {
            "SEAL_GRANTS_FILE": str(self.grants),
            "FONTS_FOLDER": str(fonts.prepare()),
            "VERIFY_URL": self.url("signing"),
        }

    def _child(self, process: Process) -> Child:
        log = self.folder / "logs" / f"{process.name}.log"
        url = self.url(process.name)
        return Child(process.name, process.command, self.environment(process), log, url, process.niceness)

    def beside(self, process: Process) -> Child:
        """Start one more service beside the others, with a database of its own."""
        self.ports[process.name] = ports.free()["intake"]
        self.databases |= create_databases(self.admin_url, [process.name], self._secret())
        migrate([f"{process.package}={self.databases[process.name]}"])
        child = self.children[process.name] = self._child(process)
        child.start()
        return child

    def add_process(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], niceness: int = 0
    ) -> Child:
        """Start a process that is not of the suite (a department's own program)."""
        inherited = {one: os.environ[one] for one in INHERITED if one in os.environ}
        log = self.folder / "logs" / f"{name}.log"
        child = Child(name, command, {**inherited, **environment}, log, niceness=niceness)
        self.children[name] = child
        child.start()
        return child
