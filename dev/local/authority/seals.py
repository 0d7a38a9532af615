"""Whose seals a city needs: each department's and each window's of its jurisdictions, and the platform's key."""

from collections.abc import Iterable, Iterator

from chassis.catalogue import City
from contracts.codes import JurisdictionCode
from evidence.certificates import Purpose
from local.authority import PLATFORM, SEALS, Wanted

WINDOW = "WINDOW"


def wanted_seals(city: City, jurisdictions: Iterable[JurisdictionCode]) -> Iterator[Wanted]:
    """Yield what signing's store holds; a seal's token is labelled as events name the seal (`210281.GHJ`)."""
    yield Wanted(PLATFORM, SEALS, "联审平台", Purpose.SERVICE)
    catalogue = city.catalogue
    for jurisdiction in jurisdictions:
        place = catalogue.places[jurisdiction]
        yield _seal(f"{jurisdiction}.{WINDOW}", place.window)
        for _, code in catalogue.departments_of(jurisdiction):
            yield _seal(f"{jurisdiction}.{code}", f"{place.name}{catalogue.departments[code]}")


def _seal(label: str, holder: str) -> Wanted:
    return Wanted(label, SEALS, holder, Purpose.SEAL, organisation=holder)
