"""Who is who in development: one person for each post that the regulation knows, by a serial that follows from it.

The initial list can so be written before any certificate is issued, and a certificate is issued when its person first
comes (`local.people`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Final

from contracts.codes import CITY, DIVISIONS, PILOT_ZONES, JurisdictionCode
from contracts.terms import Role
from procedure.catalogue import Catalogue

COLUMNS: Final = "serial,holder,role,jurisdiction,department,items,effective_at,authority,document"
CONFIRMED: Final = "2000-01-01T00:00:00Z,开发环境,开发用名单"
ADMINISTRATORS: Final = ("admin", "first", "second", "asker")
"""Each level has a few administrators: what one asks for another has to approve."""
HOLDERS: Final = {
    Role.PLATFORM: "多规合一平台",
    Role.BUILDER: "建设单位经办人",
    Role.WINDOW: "综合窗口",
    Role.OFFICER: "{department}经办人",
    Role.SUPERVISOR: "电子监察员",
    Role.LEAD: "{department}牵头人",
    Role.ADMIN: "{name}",
}

NAMED: Final = {
    Role.PLATFORM: (),
    Role.BUILDER: ("uscc",),
    Role.WINDOW: ("jurisdiction",),
    Role.OFFICER: ("jurisdiction", "department"),
    Role.SUPERVISOR: ("jurisdiction",),
    Role.LEAD: ("jurisdiction", "department"),
    Role.ADMIN: ("jurisdiction",),
}
"""What tells the holders of a post apart."""


@dataclass(frozen=True, slots=True)
class Person:
    """A holder, the serial of its certificate, and what it is: a post on the roster, or a builder's credit code."""

    role: Role
    holder: str
    serial: str
    jurisdiction: str = ""
    department: str = ""
    uscc: str = ""


def person(role: str, name: str = "", **claims: str) -> Person:
    """Return who holds a post.

    Claims: jurisdiction; department (officer, lead); uscc (builder). `name` tells administrators of one place apart.
    `certificate` and `holder` name somebody else than the one whom the development list has there.
    """
    kind = Role(role)
    told = {one: claims.get(one, "") for one in NAMED[kind]}
    place = CITY if kind is Role.PLATFORM else told.get("jurisdiction", "")
    department, uscc = told.get("department", ""), told.get("uscc", "")
    named = (name or ADMINISTRATORS[0]) if kind is Role.ADMIN else ""
    holder = claims.get("holder") or HOLDERS[kind].format(department=department, name=named)
    serial = claims.get("certificate") or serial_of(kind, place, department, uscc, named)
    return Person(kind, holder, serial, place, department, uscc)


def serial_of(*parts: str) -> str:
    """Return the serial that follows from `parts`: upper-case hexadecimal, 15 bytes."""
    return f"{int.from_bytes(sha256('|'.join(parts).encode()).digest()[:15]) or 1:X}"


@cache
def officers_certificate(jurisdiction: str, department: str) -> str:
    """Return the serial under which a department's officer, and its own system, act in development."""
    return person(Role.OFFICER, jurisdiction=jurisdiction, department=department).serial


def development_roster(catalogue: Catalogue) -> str:
    """Return the initial list for development: somebody in every post of every place.

    It holds from the first instant that an event can name, so that compressed time of any year finds it in force.
    """
    rows = [
        f"{one.serial},{one.holder},{one.role},{one.jurisdiction},{one.department},,{CONFIRMED}"
        for one in _everybody(catalogue)
    ]
    return "\n".join([COLUMNS, *rows, ""])


def _everybody(catalogue: Catalogue) -> Iterator[Person]:
    leading = sorted({stage.lead_department for stage in catalogue.stages.values()})
    yield person(Role.PLATFORM)
    for place in map(JurisdictionCode, (*DIVISIONS, *PILOT_ZONES)):
        yield from (person(role, jurisdiction=place) for role in (Role.WINDOW, Role.SUPERVISOR))
        yield from (person(Role.ADMIN, name, jurisdiction=place) for name in ADMINISTRATORS)
        yield from (person(Role.LEAD, jurisdiction=place, department=code) for code in leading)
        for home, code in catalogue.departments_of(place):
            if home == place:
                yield person(Role.OFFICER, jurisdiction=place, department=code)
