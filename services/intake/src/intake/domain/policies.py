"""Which versions a case runs under, and when another may be published (Art. 1, 23, 24)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts.codes import CITY, JurisdictionCode
from contracts.envelope import derived_id
from contracts.intake import PolicyPublished
from contracts.parts import Actor, Policies, Setting
from procedure.calendar import local_day, start_of_day
from procedure.catalogue import Catalogue
from procedure.policies import deviations, hold_to_readings
from procedure.refusals import Refusal

REGULATION: Final = "大政办发〔2018〕178号"


class NotYetInForce(Refusal):
    """《联合审批平台操作规程》自 {effective_from} 起施行，此前的项目不能在联合审批平台申报"""

    article = "第二十四条"


class PolicyVersionTaken(Refusal):
    """政策版本“{version}”已经公布，不能变更；如须调整请另行公布新版本"""

    article = "第二十三条"


class NoSuchPolicy(Refusal):
    """没有公布过政策版本“{version}”"""

    article = "第二十三条"
    status = 404


class NoSuchCatalogueVersion(Refusal):
    """没有目录版本“{version}”，可选：{known}"""

    article = "第二十三条"
    status = 422


class CatalogueNotYetInForce(Refusal):
    """目录版本“{version}”自 {effective_from} 起生效，政策不得早于该日引用它"""

    article = "第二十四条"
    status = 422


class PolicyEffectiveInThePast(Refusal):
    """政策版本的生效时间不得早于公布时间；在办申报仍按受理时的版本办理"""

    article = "第二十四条"
    status = 422


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy version: under which catalogue, in which readings it differs from the default ones, from when, by
    which document, why. The first one comes with the catalogue and was published by nobody here."""

    versions: Policies
    effective_at: datetime
    document: str
    reason: str
    published_at: datetime | None = None
    actor: Actor | None = None


def first(catalogue: Catalogue) -> Policy:
    """Return the policy that holds until another one is published: the catalogue's own, with the default readings."""
    return Policy(catalogue.versions, start_of_day(catalogue.effective_from), REGULATION, "规程公布施行")


def pinned(newest: Policies | None, catalogue: Catalogue, at: datetime) -> Policies:
    """Return the versions that an application admitted at `at` runs under for good: `newest` is the newest published
    policy in effect at that instant, `catalogue` the city's first. Raises NotYetInForce (Art. 24)."""
    if at < start_of_day(catalogue.effective_from):
        raise NotYetInForce(effective_from=catalogue.effective_from)
    return newest or catalogue.versions


def published(
    version: str,
    catalogue_version: str,
    settings: Mapping[str, Setting],
    effective_at: datetime | None,
    written: tuple[str, str],
    actor: Actor,
    catalogues: Collection[Catalogue],
    cause: UUID,
    at: datetime,
) -> PolicyPublished:
    """Return the publication of a policy version; `written` are document and reason, no `effective_at` means at once.

    Raises PolicyVersionTaken for a version that came with a catalogue, NoSuchCatalogueVersion, CatalogueNotYetInForce,
    PolicyEffectiveInThePast, UnknownPolicySetting or PolicyValueNotAllowed.
    """
    if version in {one.policy_version for one in catalogues}:
        raise PolicyVersionTaken(version=version)
    hold_to_readings(settings)
    begins = effective_at or at
    if begins < at:
        raise PolicyEffectiveInThePast
    _hold_to_catalogues(catalogue_version, begins, {one.version: one for one in catalogues})
    document, reason = written
    return PolicyPublished(
        event_id=derived_id("policy", version),
        causation_id=cause,
        occurred_at=at,
        authority=JurisdictionCode(CITY),
        version=version,
        catalogue_version=catalogue_version,
        settings=deviations(settings),
        effective_at=begins,
        document=document,
        reason=reason,
        actor=actor,
    )


def _hold_to_catalogues(version: str, begins: datetime, known: Mapping[str, Catalogue]) -> None:
    chosen = known.get(version)
    if chosen is None:
        raise NoSuchCatalogueVersion(version=version, known="、".join(sorted(known)))
    if chosen.effective_from > local_day(begins):
        raise CatalogueNotYetInForce(version=version, effective_from=chosen.effective_from)
