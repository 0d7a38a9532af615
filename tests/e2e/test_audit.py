"""Audit chains of a project and of a ledger out of the running suite: sealed inside the token, exported, judged by the
trust folder."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from contracts.department_worker import ItemDecided
from contracts.envelope import Event, derived_id
from contracts.signing import SealCompleted
from contracts.terms import ItemStep, Outcome, ProcessType, Stage
from evidence import records, seals
from local import audit
from local.audit import trusting
from local.authority import SEALS
from local.builder import People, eventually
from local.processes import PROCESSES
from local.suite import Child, Suite

CODE: Final = "2018-210281-47-03-000431"
APPLICATION: Final = str(derived_id("application", CODE, 1))
STEPS: Final = (ItemStep.ACCEPT, ItemStep.REVIEW, ItemStep.APPROVE, ItemStep.CONCLUDE)
OPINION: Final = "S1-09"
Said = TypeVar("Said", bound=Event)


@pytest.fixture(scope="module")
def people(suite: Suite) -> People:
    """A stage of which one consultation is concluded."""
    people = People(suite)
    people.push(CODE, ProcessType.SOCIAL_SMALL).raise_for_status()
    people.declare(CODE, Stage.LAND_USE, people.materials(ProcessType.SOCIAL_SMALL, Stage.LAND_USE)).raise_for_status()
    held = eventually(lambda: item(people), lambda found: found.get("state") == "RECEIVED")
    officer = {"jurisdiction": held["jurisdiction"], "department": held["department"]}
    for step in STEPS:
        body = {"step": step.value, "opinion": "无意见"}
        body |= {"outcome": Outcome.GRANTED.value} if step is ItemStep.CONCLUDE else {}
        people.step(held["item_id"], body, people.header("officer", **officer)).raise_for_status()
    eventually(lambda: item(people)["state"], lambda state: state == "CONCLUDED")
    return people


def item(people: People) -> dict[str, Any]:
    return next((one for one in people.progress(APPLICATION)["items"] if one["item_code"] == OPINION), {})


def told(people: People) -> list[dict[str, Any]]:
    return people.supervise(f"/projects/{CODE}/timeline")


def fetched(people: People, file: Path) -> bytes:
    """The project's export, once it covers all that was told of the project, to its last words: seal, end of clock."""
    url = people.suite.url("supervision")

    def is_covered(found: bytes) -> bool:
        ended = all(f'"{word}"'.encode() in found for word in ("ItemConcluded", "SealCompleted", "ClockStopped"))
        whole = len(exported(found)) > 20 and exported(found) == {one["event"]["event_id"] for one in told(people)}
        return ended and whole

    content = eventually(lambda: export(people, url), is_covered, seconds=60)
    file.write_bytes(content)
    return content


def exported(content: bytes) -> set[str]:
    return {line.split('"event_id":"')[1][:36] for line in content.decode().splitlines()[1:-1]}


def export(people: People, url: str, owner: str = f"projects/{CODE}") -> bytes:
    headers = people.header("supervisor", jurisdiction="210200")
    return people.http.get(f"{url}/audit/{owner}", headers=headers).content


def test_an_export_of_the_running_suite_is_whole(
    people: People, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = tmp_path / "audit.jsonl", str(people.suite.folder / "authority" / "trust")
    content = fetched(people, file)
    assert audit.main(["verify", str(file), "--trust", folder]) == 0
    assert "WHOLE: " + CODE in (said := capsys.readouterr().out) and "审计" in said
    assert exported(content) <= {one["event"]["event_id"] for one in told(people)} and len(exported(content)) > 20
    lines = content.splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:9] + lines[10:]))
    assert audit.main(["verify", str(file), "--trust", folder]) == 1
    assert (
        audit.main(["verify", str(file), "--trust", str(file)])
        == audit.main(["verify", "nowhere", "--trust", folder])
        == 2
    )
    assert "line 10: MISSING" in capsys.readouterr().out


def test_officers_own_signatures_are_judged_in_the_export(
    people: People, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever trusts nobody to log in finds approval and conclusion under certificates that are not trusted."""
    folder, file = tmp_path / "trust", tmp_path / "audit.jsonl"
    shutil.copytree(people.suite.folder / "authority" / "trust", folder)
    listed = (folder / "trust.toml").read_text()
    (folder / "trust.toml").write_text(listed.replace('"login", ', ""))
    fetched(people, file)
    assert audit.main(["verify", str(file), "--trust", str(folder)]) == 1
    said = capsys.readouterr().out
    assert said.count("the certificate of the officer who signed") == 2 == said.count("CERTIFICATE")


def test_the_ledger_of_roster_and_certificates_is_exported_and_judged(
    people: People, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, folder = tmp_path / "identity.jsonl", str(people.suite.folder / "authority" / "trust")
    url, token = people.suite.url("supervision"), people.header("supervisor", jurisdiction="210200")["Authorization"]
    eventually(lambda: export(people, url, "ledgers/identity"), lambda found: found.startswith(b'{"format"'), 60)
    monkeypatch.setenv("SUPERVISION_URL", url)
    monkeypatch.setenv("SUPERVISION_TOKEN", token.removeprefix("Bearer "))
    assert audit.main(["export", "identity", str(file)]) == 0
    assert audit.main(["verify", str(file), "--trust", folder]) == 0
    assert "WHOLE: identity, " in capsys.readouterr().out
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:5] + lines[6:]))
    assert audit.main(["verify", str(file), "--trust", folder]) == 1
    assert "line 6: MISSING" in capsys.readouterr().out


def test_an_opinion_is_sealed_in_a_batch_and_its_seal_stands_alone(people: People) -> None:
    """From what the topics say and the trust folder, nothing else: whose seal, and over which words."""
    made = people.suite.authority
    assert made is not None
    decided, seal = only(people, ItemDecided), only(people, SealCompleted)
    assert seal.algorithm == "tree/ecdsa-p256-sha256" and seal.proof is not None
    seals.judge(seal, bytes.fromhex(records.digest_of(decided)), trusting(made.trust).seals)
    department = f"{item(people)['jurisdiction']}.{item(people)['department']}"
    assert seal.certificate == made.token(department, SEALS).certificate.serial


def only(people: People, kind: type[Said]) -> Said:
    """Return the one event of a kind that was said of the project."""
    [found] = [json.dumps(one["event"]) for one in told(people) if one["type"] == kind.__name__]
    return kind.model_validate_json(found, extra="ignore")


@pytest.fixture(scope="module")
def rebuilt(suite: Suite) -> Iterator[Child]:
    """A second supervision beside the live one, built from the topics alone; it closes nothing itself."""
    process = next(one for one in PROCESSES if one.name == "supervision")
    child = suite.beside(replace(process, name="supervision-audited"))
    child.wait_ready()
    yield child
    child.stop()
    del suite.children["supervision-audited"], suite.ports["supervision-audited"]


@pytest.mark.parametrize("owner", [f"projects/{CODE}", "ledgers/identity"])
def test_a_read_model_built_anew_exports_the_same_file(people: People, rebuilt: Child, owner: str) -> None:
    urls = (people.suite.url("supervision"), rebuilt.url)
    live, anew = eventually(lambda: [export(people, url, owner) for url in urls], lambda told: told[0] == told[1], 60)
    assert live == anew and live.startswith(b'{"format":"lianshen-audit/1"')
