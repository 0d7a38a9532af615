"""Every ambiguity of the regulation as a named setting (Art. 23: interpretation is the city's).

`READINGS` is the table a lawyer can hold against the regulation: question, default, alternatives, where it shows. A
policy version says only where it differs from the defaults, and travels with every event of the applications that were
admitted under it (`contracts.parts.Policies`); so a default never changes: another reading is another version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final, Literal

from contracts.parts import Policies as Versions
from contracts.parts import Setting
from procedure.refusals import Refusal


class UnknownPolicySetting(Refusal):
    """没有名为“{name}”的政策设置"""

    article = "第二十三条"
    status = 422


class PolicyValueNotAllowed(Refusal):
    """政策设置 {name} 的取值应为 {allowed}，而不是“{value}”"""

    article = "第二十三条"
    status = 422


@dataclass(frozen=True, slots=True)
class Policies:
    """One version of the readings; the P-number of each stands beside it."""

    version: str = "178/2018"
    stage_pause_policy: Literal["ANY", "ALL_OPEN"] = "ANY"  # P1
    stage_accepted_when: Literal["first_item", "all_items", "window_receipt"] = "first_item"  # P2
    stage_restart_on_return: bool = False  # P3
    stage_resumes_at: Literal["resubmission", "reacceptance"] = "resubmission"  # P4
    acceptance_days: int = 5  # P5
    acceptance_expiry: Literal["alarm", "deem_accepted"] = "alarm"  # P5
    count_start_day: bool = False  # P6
    due_day_ends: Literal["midnight", "office_close"] = "midnight"  # P7
    four_eyes: bool = False  # Art. 10
    max_corrections: int = 1  # P11
    correction_days: int = 30  # P12
    redeclare_days: int = 60  # R8
    stage_concludes_when: Literal["all_terminal", "milestone_all", "milestone_any"] = "all_terminal"  # P18
    next_stage_needs: Literal["passed", "declared"] = "passed"  # P19
    withdrawal_needs_window: bool = True  # P21
    fire_on_provisional: bool = False  # P24


DEFAULT: Final = Policies()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a setting settles: its number, the question, the values it may take, and where the answer shows."""

    number: str
    question: str
    allowed: tuple[str, ...] | range | None
    where: str


READINGS: Final[Mapping[str, Reading]] = {
    "stage_pause_policy": Reading(
        "P1",
        "补正等特殊环节只暂停事项计时，还是同时暂停阶段计时（第十三条）",
        ("ANY", "ALL_OPEN"),
        "timer；procedure.stage_clock；explain 同时给出两种口径的净用时",
    ),
    "stage_accepted_when": Reading(
        "P2",
        "阶段何时视为受理：首个事项受理、全部事项受理，或窗口收件（第十三条）",
        ("first_item", "all_items", "window_receipt"),
        "dispatcher.domain：StageAccepted",
    ),
    "stage_restart_on_return": Reading(
        "P3", "退回后再次申报，阶段总时限是否也重新计算（第十三条）", None, "procedure.stage_clock"
    ),
    "stage_resumes_at": Reading(
        "P4",
        "退回的事项再次申报时恢复阶段计时，还是再次受理时恢复（第十三条）",
        ("resubmission", "reacceptance"),
        "procedure.stage_clock",
    ),
    "acceptance_days": Reading("P5", "受理期限（行政许可法第三十二条），工作日", range(1, 31), "timer：受理计时"),
    "acceptance_expiry": Reading(
        "P5",
        "受理期限届满：报警，还是视为受理",
        ("alarm", "deem_accepted"),
        "timer：AcceptanceOverdue；department-worker",
    ),
    "count_start_day": Reading("P6", "受理当日是否计入（民法典第二百零一条）", None, "procedure.clock"),
    "due_day_ends": Reading(
        "P7", "到期日何时终了：24:00，还是 17:00 下班", ("midnight", "office_close"), "procedure.clock.due"
    ),
    "four_eyes": Reading("第十条", "审核与批准是否须由不同人员办理", None, "procedure.items：批准环节"),
    "max_corrections": Reading("P11", "受理后补正告知的次数（一次性告知）", range(10), "procedure.items：补正告知"),
    "correction_days": Reading("P12", "补正期限，自然日；届满只提醒，不自动处理", range(1, 366), "timer：ReminderDue"),
    "redeclare_days": Reading("R8", "退回后多少自然日未再次申报即提醒", range(1, 366), "timer：ReminderDue"),
    "stage_concludes_when": Reading(
        "P18",
        "阶段何时办结：全部事项终结，或里程碑事项全部/任一办结",
        ("all_terminal", "milestone_all", "milestone_any"),
        "dispatcher.folding：StageConcluded",
    ),
    "next_stage_needs": Reading(
        "P19", "依次申报：前一阶段须通过，还是申报即可（第七条）", ("passed", "declared"), "intake：阶段申报"
    ),
    "withdrawal_needs_window": Reading("P21", "开始办理后撤件是否须窗口确认", None, "intake：撤件"),
    "fire_on_provisional": Reading("P24", "次年放假安排未公布时，暂定的到期日是否触发到期", None, "timer"),
}
"""Setting → what it settles; `allowed` None means yes or no. P14 is set per item in the catalogue (`on_expiry`)."""

_KINDS: Final = {field.name: type(field.default) for field in fields(Policies)}


def hold_to_readings(settings: Mapping[str, Setting]) -> None:
    """Hold the settings of a policy version to the table. Raises UnknownPolicySetting or PolicyValueNotAllowed."""
    for name, value in settings.items():
        reading = READINGS.get(name)
        if reading is None:
            raise UnknownPolicySetting(name=name)
        allowed = (False, True) if reading.allowed is None else reading.allowed
        if type(value) is not _KINDS[name] or value not in allowed:
            raise PolicyValueNotAllowed(name=name, allowed=allowed_text(reading), value=value)


def allowed_text(reading: Reading) -> str:
    """Return the values a setting may take, as a person reads them."""
    if reading.allowed is None:
        return "false、true"
    if isinstance(reading.allowed, range):
        return f"{reading.allowed[0]} 至 {reading.allowed[-1]}"
    return "、".join(reading.allowed)


def deviations(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return those of `settings` that differ from the default readings, in the order of the table."""
    return {name: settings[name] for name in READINGS if name in settings and settings[name] != getattr(DEFAULT, name)}


def policies_of(versions: Versions) -> Policies:
    """Return the readings that a case runs under, out of what its events carry.

    Raises TypeError for a setting that this release does not know: a reading must not be guessed.
    """
    if not versions.settings and versions.policy_version == DEFAULT.version:
        return DEFAULT
    return _made(versions.policy_version, tuple(versions.settings.items()))


@lru_cache(256)
def _made(version: str, settings: tuple[tuple[str, Setting], ...]) -> Policies:
    return Policies(version=version, **dict(settings))  # pyright: ignore[reportArgumentType]
