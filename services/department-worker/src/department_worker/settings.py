"""The department worker's settings."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from chassis import settings
from contracts.codes import DepartmentCode, JurisdictionCode
from procedure.catalogue import Catalogue
from procedure.notices import WINDOW


class Settings(settings.Settings):
    """Which departments this process hosts, and whether decisions are sealed."""

    worker_departments: Annotated[
        str, Field(description="Hosted: 210281.GHJ,210281.WINDOW or 210281.* with the window")
    ]
    document_form: Annotated[
        Literal["pdf", "digest"], Field(description="digest only to measure without PDFs; refused in production")
    ] = "pdf"
    documents_url: Annotated[
        str, Field(description="Where sealed documents are filed: file:///folder or s3://bucket/prefix")
    ] = ""
    document_processes: Annotated[int, Field(ge=1, le=64, description="Processes that print, at most one a core")] = 2
    fonts_folder: Annotated[Path | None, Field(description="Folder with the pinned fonts of documents")] = None
    verify_url: Annotated[
        str, Field(description="Where anybody may verify a document, as printed on it: https://host")
    ] = ""
    revocation_seconds: Annotated[float, Field(gt=0, description="How often revocation lists are fetched, s")] = 300
    seal_decisions: Annotated[bool, Field(description="False only to measure without seals; refused in production")] = (
        True
    )
    login_origin: Annotated[str, Field(description="Origin that a key signs for, as browsers see it: https://host")]

    @model_validator(mode="after")
    def _trusts_somebody(self) -> Self:
        if self.trust_folder is None:
            raise ValueError("TRUST_FOLDER must name the folder with trust.toml: officers sign what binds the office")
        return self


def departments(text: str, catalogue: Catalogue) -> list[tuple[JurisdictionCode, DepartmentCode]]:
    """Return the departments that `text` names. Raises ValueError for one that the catalogue does not know."""
    chosen: list[tuple[JurisdictionCode, DepartmentCode]] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        place, _, code = word.rpartition(".")
        if code == WINDOW:
            continue
        known = catalogue.departments_of(JurisdictionCode(place))
        found = [pair for pair in known if code in ("*", pair[1])]
        if not found and code != "*":
            raise ValueError(f"WORKER_DEPARTMENTS: {word} has no items in the catalogue")
        chosen.extend(found)
    return sorted(set(chosen))


def windows(text: str) -> frozenset[JurisdictionCode]:
    """Return the places whose window is hosted: each window by one worker, which prints what is asked of it."""
    words = (part.strip().rpartition(".") for part in text.split(","))
    return frozenset(JurisdictionCode(place) for place, _, code in words if code in ("*", WINDOW))
