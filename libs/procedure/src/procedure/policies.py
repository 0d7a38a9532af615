"""Every ambiguity of the regulation as a named setting with its default (Art. 23: interpretation is the city's)."""

from dataclasses import dataclass
from typing import Literal


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
    max_corrections: int = 1  # P11
    correction_days: int = 30  # P12
    stage_concludes_when: Literal["all_terminal", "milestone_all", "milestone_any"] = "all_terminal"  # P18
    next_stage_needs: Literal["passed", "declared"] = "passed"  # P19
    withdrawal_needs_window: bool = True  # P21
    fire_on_provisional: bool = False  # P24


DEFAULT = Policies()
