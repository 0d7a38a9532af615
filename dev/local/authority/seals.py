"""Whose seals a city needs: each department's and each window's of its jurisdictions, and the platform's."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from chassis.catalogue import City
from contracts.codes import JurisdictionCode
from evidence.certificates import Purpose
from local import authority, tokens
from local.authority import PLATFORM, SEALS, Authority, Wanted
from procedure.notices import WINDOW

AUDIT: Final = "audit"
"""The seal of the audit chains' roots: `signing.domain.roots.SEAL`."""


def wanted_seals(city: City, jurisdictions: Iterable[JurisdictionCode]) -> Iterator[Wanted]:
    """Yield what signing's store holds; a seal's token is labelled as events name the seal (`210281.GHJ`)."""
    yield Wanted(PLATFORM, SEALS, "联审平台", Purpose.SERVICE)
    yield Wanted(AUDIT, SEALS, "联审平台审计专用章", Purpose.SEAL, organisation="联审平台")
    catalogue = city.catalogue
    for jurisdiction in jurisdictions:
        place = catalogue.places[jurisdiction]
        yield _seal(f"{jurisdiction}.{WINDOW}", place.window)
        for _, code in catalogue.departments_of(jurisdiction):
            yield _seal(f"{jurisdiction}.{code}", f"{place.name}{catalogue.departments[code]}")


def prepare_seals(folder: Path, city: City, jurisdictions: Iterable[str]) -> Authority:
    """Return an authority that nobody serves, with the seals of `jurisdictions`: enough to sign in this process."""
    wanted = wanted_seals(city, map(JurisdictionCode, jurisdictions))
    return authority.prepare(folder, "http://127.0.0.1:1", *wanted)


def signing_environment(made: Authority) -> dict[str, str]:
    """Return the settings with which signing opens the tokens of the seals and of the platform, and no others."""
    return {
        "PKCS11_MODULE": str(tokens.proxy()),
        "PKCS11_PIN_FOLDER": str(made.pins(SEALS)),
        **made.environment(SEALS),
    }


def _seal(label: str, holder: str) -> Wanted:
    return Wanted(label, SEALS, holder, Purpose.SEAL, organisation=holder)
