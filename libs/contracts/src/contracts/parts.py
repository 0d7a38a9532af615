"""Pieces that several speakers' events are made of."""

import base64
import hashlib
from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.codes import CreditCode, DepartmentCode, ItemCode, JurisdictionCode, MaterialCode, Sha256
from contracts.envelope import Instant, Line, ProjectEvent, Said, Version
from contracts.terms import ItemKind, OnExpiry, Outcome, PauseReason, SpecialKind, Stage

Serial = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z:._-]{1,80}$")]
"""A certificate's serial number, or the name of a broker principal."""
Encoded64 = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z+/]+=*$", max_length=65536)]


class Actor(Said):
    """Who did it: the holder's name and the serial of the certificate that proved it (Art. 19, 20)."""

    holder: Line
    certificate: Serial


class OwnSignature(Said):
    """An officer's own signature over an act, whole: nobody has to be asked who did it (Art. 19, 20).

    `text` was signed at `signed_at` (real time): it names item, step and decision, and by its SHA-256 what was `asked`
    (the request, JSON). `evidence.step_up.hold` judges all of it against the act.
    """

    text: Annotated[str, StringConstraints(max_length=2000)]
    asked: Annotated[str, StringConstraints(max_length=16_000)]
    algorithm: Line
    certificate_der: Encoded64
    signature: Encoded64
    signed_at: Instant

    @property
    def digest(self) -> Sha256:
        """What the act names it by."""
        made = base64.b64decode(self.signature)
        return Sha256(hashlib.sha256(self.text.encode() + b"\x00" + made).hexdigest())


class MaterialRef(Said):
    """A material by its content: code of the dictionary, SHA-256 of the bytes, name and size in bytes."""

    code: MaterialCode
    sha256: Sha256
    name: Line
    size: Annotated[int, Field(ge=1)]


class Builder(Said):
    """建设单位."""

    uscc: CreditCode
    name: Line


class Special(Said):
    """特别程序: kind, reason and, where one is set, its own due day (it never ends by itself)."""

    kind: SpecialKind
    reason: Line
    due_on: date | None = None


Setting = bool | int | str
"""The value of one policy setting."""


class Policies(Said):
    """The versions a stage application was admitted under; running cases keep theirs.

    `settings` are the readings in which this policy version differs from the regulation's default ones, by name, so
    that every event can be judged by itself (`procedure.policies`; Art. 1, 23).
    """

    catalogue_version: Line
    policy_version: Line
    settings: dict[str, Setting] = {}


class DispatchedItem(Said):
    """One item of a stage, as the catalogue has it for this project's type (`limit_days` in working days)."""

    item_id: UUID
    item_code: ItemCode
    name: Line
    attempt: Version
    department: DepartmentCode
    jurisdiction: JurisdictionCode
    kind: ItemKind
    limit_days: Annotated[int, Field(ge=1, le=366)]
    on_expiry: OnExpiry
    optional: bool = False
    after: tuple[ItemCode, ...] = ()
    milestone: bool = False


class ResultRef(Said):
    """A result that another department issued on the platform: it circulates, nobody asks the applicant (Art. 8)."""

    item_code: ItemCode
    item_id: UUID
    name: Line
    outcome: Outcome
    document: Sha256 | None = None


class DeferredMaterial(Said):
    """容缺: a material that is missing for now, promised for a day (Art. 17)."""

    code: MaterialCode
    promised_on: date


class DayOrdered(Said):
    """A day that is not what its weekday says: whether it works, and by which name or document."""

    day: date
    works: bool
    name: Line


class AboutStage(ProjectEvent):
    """An event about one stage application."""

    application_id: UUID
    stage: Stage


class AboutItem(AboutStage):
    """An event about one attempt of one item."""

    item_id: UUID
    item_code: ItemCode
    attempt: Version
    department: DepartmentCode
    jurisdiction: JurisdictionCode


class PauseKey(Said):
    """One member of the set of reasons for which a stage's clock stands still."""

    item_id: UUID
    reason: PauseReason
