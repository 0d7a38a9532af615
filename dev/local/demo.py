"""`./run demo`: one project of 瓦房店, stage 1 with every turn that the regulation knows, in compressed time.

Departments are processes of their own that speak nothing but Kafka. It prints the story with the article beside each
line, checks itself from outside, and ends with exit 0 only if every check held.
"""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chassis.wallclock import parsed
from contracts.labels import label
from contracts.terms import Light, Outcome, ProcessType, Stage, StageResult
from local import script
from local.builder import FORM, People, eventually
from local.processes import PROCESSES
from local.suite import ROOT, Suite

FOLDER: Final = ROOT / ".local" / "demo"
CODE: Final = "2018-210281-47-03-000123"
BEIJING: Final = timedelta(hours=8)
SECONDS_A_DAY: Final = 2.0
OPENS: Final = datetime(2026, 3, 2, 1, tzinfo=UTC)
PATIENCE_SECONDS: Final = 80.0

STORY: Final = {
    "ProjectRegistered": ("多规合一平台推送项目", "第四条"),
    "StageApplied": ("建设单位申报：一张表单、一套材料", "第八条"),
    "StageDispatched": ("按事项拆分，分发各部门；窗口报件通知", "第九条"),
    "ItemReceived": ("收件", "第十条"),
    "ItemAccepted": ("受理，开始计时", "第十三条"),
    "ItemReviewed": ("审核", "第十条"),
    "ItemApproved": ("批准", "第十条"),
    "ItemDecided": ("作出决定，送签章", "第十条"),
    "ItemConcluded": ("办结（含签章）", "第十六条"),
    "CorrectionRequested": ("补正告知，计时暂停", "第十三条"),
    "SupplementSubmitted": ("建设单位补正", "第十三条"),
    "CorrectionEnded": ("补正完成，恢复计时", "第十三条"),
    "SpecialStarted": ("特别程序开始，计时暂停", "第十三条"),
    "SpecialEnded": ("特别程序结束，恢复计时", "第十三条"),
    "ItemReturned": ("退回，计时终止，阶段暂停", "第十三条"),
    "ItemReapplied": ("按事项再次申报，重新计时", "第七条"),
    "LightChanged": ("亮灯", "第二十二条"),
    "Urged": ("催办", "第二十二条"),
    "ItemOverdue": ("逾期", "第十四条"),
    "ItemRecalled": ("到期自动收回", "第十四条"),
    "StageAccepted": ("阶段受理，总时限开始", "第十三条"),
    "StageConcluded": ("阶段办结", "第十五条"),
    "NoticeSent": ("通知建设单位", "第十五条"),
}
"""What the story tells, with the article; the rest (clocks, seal requests) stands in the timeline of supervision."""


def main(arguments: list[str]) -> int:
    """Run the demo; exit 0 only if every check held."""
    if arguments:
        print("usage: ./run demo")
        return 0 if arguments[0] in ("-h", "--help") else 2
    shutil.rmtree(FOLDER, ignore_errors=True)
    began = time.monotonic()
    wallclock = _wallclock()
    with Suite(FOLDER, say=_say, settings={"WALLCLOCK": wallclock}) as suite:
        _start_departments(suite, wallclock)
        people = People(suite)
        time.sleep(max(parsed(wallclock).seconds_until(OPENS), 0))
        told = _play(people)
        timeline = eventually(lambda: people.supervise(f"/projects/{CODE}/timeline"), _is_whole)
        _print_story(timeline)
        held = _check(suite, people, told, timeline)
    print(f"\n{'all checks held' if held else 'A CHECK FAILED'} · {time.monotonic() - began:.0f} s")
    return 0 if held else 1


def _say(line: str) -> None:
    print(f"· {line}", flush=True)


def _wallclock() -> str:
    """Business time opens on Monday 2026-03-02 at 9:00 in Beijing, a few seconds from now; a day takes two."""
    factor = 86400 / SECONDS_A_DAY
    real = datetime.now(UTC) + timedelta(seconds=12)
    return f"affine:{real.isoformat()},{OPENS.isoformat()},{factor}"


def _start_departments(suite: Suite, wallclock: str) -> None:
    items = suite.city.catalogue.items_of(Stage.LAND_USE, ProcessType.GOV_BUILDING)
    pairs = sorted({(suite.city.catalogue.route(item, suite.jurisdictions[-1]), item.department) for item in items})
    for place, code in pairs:
        command = [sys.executable, "-m", "local.script", suite.bootstrap, place, code, wallclock]
        suite.add_process(f"department-{place}-{code}", command, {})
    _say(f"{len(pairs)} departments run as processes of their own; they speak nothing but Kafka")


def _play(people: People) -> dict[str, Any]:
    """Push, ask, declare, and do what a builder and a lead have to do until the stage concludes."""
    people.push(CODE, ProcessType.GOV_BUILDING).raise_for_status()
    needed = people.inquiry(CODE)["stages"][0]
    _say(f"统一征询：{needed['name']}，{len(needed['items'])} 个事项，总时限 {needed['limit_days']} 个工作日（第七条）")
    materials = people.materials(ProcessType.GOV_BUILDING, Stage.LAND_USE)
    answer = people.declare(CODE, Stage.LAND_USE, materials)
    answer.raise_for_status()
    application_id = answer.json()["application_id"]
    _say(f"申报一次：{len(materials)} 份材料，202 {application_id}")
    done: set[str] = set()
    return eventually(
        lambda: _turn(people, application_id, done), lambda told: told["state"] == "CONCLUDED", PATIENCE_SECONDS
    )


def _is_concluded(told: dict[str, Any]) -> bool:
    return told["state"] == "CONCLUDED"


def _turn(people: People, application_id: str, done: set[str]) -> dict[str, Any]:
    told = people.progress(application_id)
    items = {item["item_code"]: item for item in told["items"]}
    base = f"{people.suite.url('intake')}/applications/{application_id}/items"
    if items.get(script.CORRECTED, {}).get("state") == "CORRECTION" and "corrected" not in done:
        done.add("corrected")
        body = {"materials": [], "explanation": "已补充文物勘探范围图"}
        _post(people, f"{base}/{script.CORRECTED}/supplements", body, people.builder())
    if items.get(script.RETURNED, {}).get("state") == "RETURNED" and "reapplied" not in done:
        done.add("reapplied")
        body = {"form": FORM, "truthful": True}
        _post(people, f"{base}/{script.RETURNED}/reapplications", body, people.builder())
    late = items.get(script.LATE, {})
    if late.get("light") == "YELLOW" and "urged" not in done:
        done.add("urged")
        body = {"level": "h", "message": "时限将至，请抓紧办理"}
        url = f"{people.suite.url('supervision')}/items/{late['item_id']}/urges"
        _post(people, url, body, people.header("supervisor", jurisdiction="210200"))
    return told


def _post(people: People, url: str, body: dict[str, Any], headers: dict[str, str]) -> None:
    people.http.post(url, json=body, headers=headers).raise_for_status()


def _print_story(timeline: list[dict[str, Any]]) -> None:
    print(f"\n{CODE}（瓦房店市）{label(Stage.LAND_USE)}\n")
    for one in timeline:
        event = one["event"]
        if one["type"] in STORY and not (one["type"] == "NoticeSent" and event["kind"] == "CORRECTION"):
            what, article = STORY[one["type"]]
            at = datetime.fromisoformat(event["occurred_at"]) + BEIJING
            item = event.get("item_code") or ""
            print(f"{at:%m-%d %H:%M}  {item:6} {article:5}  {what}{_more(one['type'], event)}")


def _more(kind: str, event: dict[str, Any]) -> str:
    if kind == "LightChanged":
        return f"：{label(Light(event['light']))}，余 {event['remaining_days']} 个工作日"
    if kind in ("ItemConcluded", "ItemRecalled", "ItemDecided"):
        return f"：{label(Outcome(event['outcome']))}"
    if kind == "StageConcluded":
        return f"：{label(StageResult(event['result']))}"
    if kind in ("CorrectionRequested", "ItemReturned"):
        return f"：{event['opinion']}"
    return f"：{event['title']}" if kind == "NoticeSent" else ""


def _is_whole(timeline: list[dict[str, Any]]) -> bool:
    """Whether supervision, which listens a tenth of a second behind, has heard the end of the story."""
    last = [one["type"] == "NoticeSent" and one["event"]["kind"] == "STAGE_RESULT" for one in timeline]
    return any(last) and any(one["type"] == "StageConcluded" for one in timeline)


def _check(suite: Suite, people: People, told: dict[str, Any], timeline: list[dict[str, Any]]) -> bool:
    """Judge the story from outside, print each verdict, and return whether all held."""
    kinds = Counter(one["type"] for one in timeline)
    outcomes = {item["item_code"]: item["outcome"] for item in told["items"]}
    checks: dict[str, Callable[[], bool]] = {
        "the stage concluded with one refusal": lambda: told["result"] == "PARTLY_REFUSED",
        "the silent consultation was recalled once, as no opinion": lambda: (
            kinds["ItemRecalled"] == 1 and outcomes[script.SILENT] == "DEEMED_NO_OPINION"
        ),
        "the refused item is refused, all others granted": lambda: (
            outcomes[script.REFUSED] == "REFUSED"
            and all(held == "GRANTED" for code, held in outcomes.items() if code not in (script.REFUSED, script.SILENT))
        ),
        "the returned item concluded in its second attempt": lambda: _attempts(timeline) == {1, 2},
        "every decision carries a seal": lambda: _sealed(timeline) and kinds["ItemConcluded"] == 9,
        "lights turned yellow and red, and the lead pressed": lambda: (
            {one["event"]["light"] for one in timeline if one["type"] == "LightChanged"} >= {"YELLOW", "RED"}
            and kinds["Urged"] == 1
        ),
        "the recall came at the due instant, not before": lambda: _recalled_in_time(timeline),
        "a read model rebuilt from the topics equals the live one": lambda: _rebuilt(suite, people),
    }
    print()
    verdicts = [(name, holds()) for name, holds in checks.items()]
    for name, held in verdicts:
        print(f"{'✓' if held else '✗'} {name}")
    return all(held for _, held in verdicts)


def _sealed(timeline: list[dict[str, Any]]) -> bool:
    """Whether each decision was sealed, once; notices are sealed beside them."""
    asked = {one["event"]["seal_request_id"] for one in timeline if one["type"] == "ItemDecided"}
    made = [one["event"]["request_id"] for one in timeline if one["type"] == "SealCompleted"]
    return len(asked) == 9 and sorted(request for request in made if request in asked) == sorted(asked)


def _attempts(timeline: list[dict[str, Any]]) -> set[int]:
    return {
        one["event"]["attempt"]
        for one in timeline
        if one["type"] == "ItemReceived" and one["event"]["item_code"] == script.RETURNED
    }


def _recalled_in_time(timeline: list[dict[str, Any]]) -> bool:
    recalled = next(one["event"] for one in timeline if one["type"] == "ItemRecalled")
    return datetime.fromisoformat(recalled["at"]) >= datetime.fromisoformat(recalled["due_at"])


def _rebuilt(suite: Suite, people: People) -> bool:
    """Build supervision anew beside the live one, from the topics alone, and compare both."""
    process = next(one for one in PROCESSES if one.name == "supervision")
    beside = suite.beside(replace(process, name="supervision-rebuilt"))
    beside.wait_ready()
    headers = people.header("supervisor", jurisdiction="210200")
    live = people.supervise("/read-model/fingerprint")

    def ask() -> dict[str, Any]:
        return people.http.get(f"{beside.url}/read-model/fingerprint", headers=headers).json()

    return eventually(ask, lambda told: told == live) == live
