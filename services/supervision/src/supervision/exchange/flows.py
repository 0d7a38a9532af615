"""One version of the catalogue as the standard's flows: each process type, its stages, their items."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from contracts.codes import CITY
from contracts.terms import ProcessType, Stage
from procedure.catalogue import Catalogue, ItemRule
from supervision.exchange.tables import FLOW, FLOW_ITEM, FLOW_STAGE, Told, splcbm, told

ALL_MILESTONES, PROMISED = 1, 2
OTHER_ITEM: Final = "9990"
"""其他: the standard's own item codes are not public."""


def of_catalogue(catalogue: Catalogue) -> list[Told]:
    """Return the rows of one version of the catalogue, parents before children."""
    at = datetime.combine(catalogue.effective_from, datetime.min.time()).isoformat(" ")
    return [row for kind in catalogue.types for row in _flow(catalogue, kind, at)]


def _flow(catalogue: Catalogue, kind: ProcessType, at: str) -> Iterable[Told]:
    key = f"{splcbm(kind.value)}.{catalogue.version}"
    own: dict[str, Any] = {
        "SPLCBM": splcbm(kind.value),
        "SPLCMC": catalogue.types[kind],
        "SPLCBBH": catalogue.version,
        "SPLCSXSJ": catalogue.effective_from.isoformat(),
        "SPLCLX": kind.value,
        "SPLCSM": catalogue.title,
        "FJMC": None,
        "FJLX": None,
        "FJID": None,
    }
    yield told(FLOW, key, key, CITY, at, own)
    for stage in catalogue.stages:
        of_stage = f"{key}.{stage.value}"
        yield told(FLOW_STAGE, of_stage, of_stage, CITY, at, _stage(catalogue, kind, stage))
        for rule in catalogue.items_of(stage, kind):
            of_item = f"{of_stage}.{rule.code}"
            yield told(FLOW_ITEM, of_item, of_item, CITY, at, _item(catalogue, kind, rule))


def _stage(catalogue: Catalogue, kind: ProcessType, stage: Stage) -> dict[str, Any]:
    return {
        "SPLCBM": splcbm(kind.value),
        "SPLCBBH": catalogue.version,
        "SPJDBM": f"{stage.value:02}",
        "SPJDMC": catalogue.stages[stage].name,
        "SPJDXH": stage.value,
        "DYBZSPJDXH": stage.value,
        "SPJDSX": catalogue.limit(kind, stage),
        "LCBSXLX": ALL_MILESTONES,
    }


def _item(catalogue: Catalogue, kind: ProcessType, rule: ItemRule) -> dict[str, Any]:
    return {
        "SPLCBM": splcbm(kind.value),
        "SPLCBBH": catalogue.version,
        "SPJDXH": rule.stage.value,
        "SPSXBM": rule.code,
        "SPSXBBH": catalogue.version,
        "SPSXMC": rule.name,
        "DYBZSPSXBM": OTHER_ITEM,
        "SFSXGZCNZ": 0,
        "BJLX": PROMISED,
        "SQDX": None,
        "BLJGSDFS": None,
        "SPSXBLSX": rule.limit_days,
        "SPBMBM": rule.department,
        "SPBMMC": catalogue.departments[rule.department],
        "QZSPSXBM": ",".join(catalogue.after(rule, kind)) or None,
        "SFLCBSX": int(rule.milestone),
    }
