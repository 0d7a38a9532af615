"""What an office's documents say: which form each kind takes, and the facts that are set in it (Art. 10, 13, 16).

A table holds each kind of document against its title, the word of its number (文号), the law it rests on and its seal.
The facts of one document are plain data; the same facts are always the same document.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

from contracts.codes import CITY, DIVISIONS, PILOT_ZONES, DepartmentCode, JurisdictionCode, Sha256
from contracts.terms import DocumentKind, ItemKind, SealForm
from procedure.catalogue import Catalogue
from procedure.notices import WINDOW

PERMIT_LAW: Final = "《中华人民共和国行政许可法》"
WINDOW_MARK: Final = "综窗"
PLATFORM_RULES: Final = "《大连市工程建设项目联合审批平台操作规程（试行）》"


class Form(NamedTuple):
    """The form of a kind of document: template, title, word of its number, legal basis, what it decides, its seal."""

    template: str
    title: str
    word: str
    basis: str
    grants: str
    seal: SealForm = SealForm.PDF


D, K = DocumentKind, ItemKind
RULE_10, RULE_13, RULE_14 = (f"{PLATFORM_RULES}第{number}条" for number in ("十", "十三", "十四"))
_NOTICES: Final[Mapping[DocumentKind, Form]] = {
    D.NOT_ACCEPTED: Form("not-accepted", "不予受理通知书", "不受", f"{PERMIT_LAW}第三十二条", "决定对该申请不予受理"),
    D.CORRECTION: Form(
        "correction", "补正材料一次性告知书", "补", f"{PERMIT_LAW}第三十二条第一款第四项和{RULE_13}", "一次性告知"
    ),
    D.ACCEPTANCE: Form("acceptance", "受理通知书", "受", f"{PERMIT_LAW}第三十二条第一款第五项", "决定受理该申请"),
}
_OF_THE_WINDOW: Final[Mapping[DocumentKind, Form]] = {
    D.WINDOW_NOTICE: Form("window-notice", "窗口报件通知书", "报", f"{PLATFORM_RULES}第九条、第十条", "通知报件"),
    D.RECEIPT: Form("receipt", "收件回执", "收", RULE_10, "予以收件"),
}
_OPINION: Final = Form("opinion", "征询意见书", "意", RULE_14, "提出意见", SealForm.DIGEST)
FORMS: Final[Mapping[tuple[DocumentKind, ItemKind | None], Form]] = {
    (D.DECISION, K.PERMIT): Form(
        "decision", "准予行政许可决定书", "许准", f"{PERMIT_LAW}第三十八条第一款", "决定准予行政许可"
    ),
    (D.DECISION, K.FILING): Form("decision", "准予备案通知书", "备", RULE_10, "准予备案"),
    (D.DECISION, K.ACCEPTANCE_CHECK): Form("decision", "验收合格意见书", "验", RULE_10, "同意通过验收"),
    (D.DECISION, K.UTILITY): Form("decision", "报装办理通知书", "装", RULE_10, "同意办理报装"),
    (D.REFUSAL, K.PERMIT): Form(
        "refusal", "不予行政许可决定书", "许不", f"{PERMIT_LAW}第三十八条第二款", "决定不予行政许可"
    ),
    (D.REFUSAL, K.FILING): Form("refusal", "不予备案通知书", "备不", RULE_10, "决定不予备案"),
    (D.REFUSAL, K.ACCEPTANCE_CHECK): Form("refusal", "验收不合格意见书", "验不", RULE_10, "决定不予通过验收"),
    (D.REFUSAL, K.UTILITY): Form("refusal", "不予办理报装通知书", "装不", RULE_10, "决定不予办理报装"),
    (D.REFUSAL, K.CONSULT): _OPINION,
    **{(D.OPINION, kind): _OPINION for kind in K},
    **{(kind, of): form for kind, form in _NOTICES.items() for of in K},
    (D.ACCEPTANCE, K.CONSULT): _NOTICES[D.ACCEPTANCE]._replace(seal=SealForm.DIGEST),
    **{(kind, None): form for kind, form in _OF_THE_WINDOW.items()},
}
"""The form of each kind of document, for each kind of item; the window's are about a stage. An opinion stays on the
platform (Art. 14), and with it that its question was taken up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one document says. Days and `received` are local; what does not apply is empty. `item_name` is the stage's
    in a document about a stage, `digests` are those of `materials`."""

    kind: DocumentKind
    item_kind: ItemKind | None
    code: str
    authority: str
    number: str
    addressee: str
    uscc: str = ""
    project_name: str
    project_code: str
    item_name: str
    applied: date
    accepted: date | None = None
    dated: date
    opinion: str = ""
    limit_days: int = 0
    deferred: tuple[str, ...] = ()
    received: datetime | None = None
    items: tuple[str, ...] = ()
    materials: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    place: str = ""
    review_authority: str = ""
    verify_url: str = ""

    @property
    def form(self) -> Form:
        """The form that these facts are set in."""
        return FORMS[self.kind, self.item_kind]


def series_of(catalogue: Catalogue, jurisdiction: JurisdictionCode, department: DepartmentCode, form: Form) -> str:
    """Return what a series of documents is numbered by: place, department or window, word (机关代字)."""
    mark = WINDOW_MARK if department == WINDOW else catalogue.marks[department]
    return f"{catalogue.places[jurisdiction].mark}{mark}{form.word}"


def number(series: str, year: int, serial: int) -> str:
    """Return 文号, as on every official document: series, year, serial within both."""
    return f"{series}〔{year}〕{serial}号"


def authority_of(catalogue: Catalogue, jurisdiction: JurisdictionCode, department: DepartmentCode) -> str:
    """Return the full name of a department of a place, or of its window: whose seal it is."""
    if department == WINDOW:
        return catalogue.places[jurisdiction].window
    return catalogue.places[jurisdiction].name + catalogue.departments[department]


def review_authority_of(catalogue: Catalogue, jurisdiction: JurisdictionCode) -> str:
    """Return who reviews a department's decision: the government at its level (行政复议法 Art. 24); the city's for a
    pilot zone, which has no government of its own."""
    if jurisdiction in PILOT_ZONES:
        return f"{catalogue.places[JurisdictionCode(CITY)].name}人民政府"
    return f"{catalogue.places[jurisdiction].name}人民政府" if jurisdiction in DIVISIONS else "有管辖权的行政复议机关"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document with its seal drawn and a gap for the signature; `digest` is of all but the gap."""

    pdf: bytes
    digest: Sha256


class NotAsSealed(Exception):
    """A signature came that does not make its document a valid one."""
