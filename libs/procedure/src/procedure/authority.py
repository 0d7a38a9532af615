"""Who may do what: by role, jurisdiction and department, never by name (Art. 5, 7, 10, 18, 21)."""

from dataclasses import dataclass

from contracts.codes import CITY, PILOT_ZONES, CreditCode, DepartmentCode, JurisdictionCode
from contracts.parts import Actor
from contracts.terms import Role
from procedure.refusals import Refusal


class NotYourRole(Refusal):
    """该账号的角色无权办理此项操作"""

    article = "第十九条"
    status = 403


class NotYourJurisdiction(Refusal):
    """该事项不属于您的属地或部门，无权办理"""

    article = "第十八条"
    status = 403


class NotYourStage(Refusal):
    """该阶段由{lead}牵头，您所在部门无权组织、督导"""

    article = "第五条"
    status = 403


class NotFound(Refusal):
    """没有找到该项目、申报或事项"""

    article = None
    status = 404


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: proved by a key, with the place on the roster that it gives."""

    subject: str
    name: str
    role: Role
    certificate: str
    uscc: CreditCode | None = None
    jurisdiction: JurisdictionCode | None = None
    department: DepartmentCode | None = None
    session: str = ""

    @property
    def actor(self) -> Actor:
        """The caller as events name it."""
        return Actor(holder=self.name, certificate=self.certificate)


def covers(jurisdiction: str | None, place: str) -> bool:
    """Whether a territorial permission reaches `place`: the city's reaches all, a host's its pilot zones (Art. 18)."""
    return jurisdiction in (CITY, place, PILOT_ZONES.get(place))


def own_project(caller: Caller, builder: str) -> None:
    """Hold a builder to its own projects (Art. 11). Raises NotFound, which tells nothing about others' projects."""
    if caller.role is Role.BUILDER and caller.uscc != builder:
        raise NotFound


def own_item(caller: Caller, jurisdiction: str, department: str) -> None:
    """Hold an officer to the items of its own department and jurisdiction (Art. 18). Raises NotYourJurisdiction."""
    if caller.jurisdiction != jurisdiction or caller.department != department:
        raise NotYourJurisdiction


def own_territory(caller: Caller, jurisdiction: str) -> None:
    """Hold window, supervisor and lead to their territory (Art. 5, 10, 21). Raises NotYourJurisdiction."""
    if caller.role in (Role.WINDOW, Role.SUPERVISOR, Role.LEAD) and not covers(caller.jurisdiction, jurisdiction):
        raise NotYourJurisdiction


def own_stage(caller: Caller, lead: DepartmentCode, jurisdiction: str) -> None:
    """Hold a lead to the stages that its department leads, in its territory (Art. 5, 22); `lead` is the catalogue's.

    Raises NotYourStage or NotYourJurisdiction.
    """
    if caller.role is Role.LEAD and caller.department != lead:
        raise NotYourStage(lead=lead)
    own_territory(caller, jurisdiction)
