"""A project and its builder, as the declaration of a stage tells them."""

from typing import Any, Final

from contracts.intake import StageApplied
from contracts.terms import Stage
from supervision.exchange.tables import COLUMNS, PROJECT, UNIT, Told, beijing, gcdm, splcbm, told

LXLX: Final = {"01": 1, "02": 2, "03": 3}
"""审批, 核准, 备案, by the type in the project code."""
INDUSTRIES: Final = "2017"
"""The edition of GB/T 4754 whose classes old project codes carry."""
CONSTRUCTION_UNIT: Final = 1


def of_application(event: StageApplied) -> list[Told]:
    """Return the rows of a project as its declaration of a stage tells it: the project, and its builder.

    What the platform is not told (land, funds, coordinates, planned dates) stays empty.
    """
    work, place = gcdm(event.project_code), event.jurisdiction.host
    at, first = beijing(event.occurred_at), event.event_id.hex
    unit: dict[str, Any] = {
        "XMDM": event.project_code,
        "GCDM": work,
        "DWTYSHXYDM": event.builder.uscc,
        "DWMC": event.builder.name,
        "DWLX": CONSTRUCTION_UNIT,
    }
    return [
        told(PROJECT, f"{first}01", work, place, at, _project(event, work, place, at)),
        told(UNIT, f"{first}02", f"{work}.{event.builder.uscc}", place, at, unit),
    ]


def _project(event: StageApplied, work: str, place: str, at: str) -> dict[str, Any]:
    form, (year, _, industry, kind, _) = event.form, event.project_code.split("-")
    is_old = year.startswith("20") and int(year) <= 2020
    return dict.fromkeys(COLUMNS[PROJECT]) | {
        "XMDM": event.project_code,
        "XMMC": event.project_name,
        "GCDM": work,
        "GCFW": form.summary,
        "QJDGCDM": None if event.stage in (Stage.LAND_USE, Stage.PARALLEL) else work,
        "SPLCLX": event.process_type.value,
        "LXLX": LXLX.get(kind),
        "GBHYDMFBND": INDUSTRIES if is_old else None,
        "GBHY": industry if is_old else None,
        "XMSFWQBJ": 0,
        "ZTZE": form.investment,
        "JSDDXZQH": place,
        "JSGMJNR": form.summary,
        "YDMJ": form.land_area,
        "JZMJ": form.floor_area,
        "SBSJ": at,
        "SPLCBM": splcbm(event.process_type.value),
        "SPLCBBH": event.policies.catalogue_version,
    }
