"""Sets documents in type: facts in, PDF out, always the same bytes for the same facts.

Typst runs in this process with the templates and the pinned fonts, and sees nothing else: no system font, no package,
no clock. What is said of an item is data to it, never markup.
"""

import io
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final, Literal

import orjson
import segno
import typst

from department_worker.documents import Facts
from department_worker.fonts import Fonts

TEMPLATES: Final = Path(__file__).parent / "templates"
TEST_NOTE: Final = "测试"
"""What a seal of development says, so that nobody takes it for the real one."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A document before it is sealed; the seal's middle is on `page` (from 1), `x` and `y` points from the top left."""

    pdf: bytes
    page: int
    x: float
    y: float


class Printer:
    """Prints with the fonts of a folder; keeps what it has read of them, so it stays in its process."""

    def __init__(self, fonts: Fonts) -> None:
        self._fonts = fonts
        self._typst = typst.Compiler(root=TEMPLATES, font_paths=[fonts.folder], ignore_system_fonts=True)

    def document(self, facts: Facts) -> Printed:
        """Return the document that `facts` make."""
        source, inputs = str(TEMPLATES / f"{facts.form.template}.typ"), {"facts": self._inputs(facts)}
        stamp = int(datetime.combine(facts.dated, time(), UTC).timestamp())
        pdf = self._compiled(source, "pdf", inputs, stamp)
        place = orjson.loads(self._typst.query("<seal>", field="value", one=True))
        return Printed(pdf, place["page"], _points(place["x"]), _points(place["y"]))

    def seal(self, name: str, *, is_test: bool) -> bytes:
        """Return the picture of a seal as a PDF of one page in its own size, without any font."""
        inputs = {"name": self._fonts.legible(name), "note": TEST_NOTE if is_test else ""}
        drawn = self._compiled(str(TEMPLATES / "seal.typ"), "svg", inputs, 0)
        return self._compiled(str(TEMPLATES / "traced.typ"), "pdf", {"picture": drawn.decode()}, 0)

    def _compiled(self, source: str, form: Literal["pdf", "svg"], inputs: dict[str, str], stamp: int) -> bytes:
        made = self._typst.compile(source, format=form, sys_inputs=inputs, timestamp=stamp)
        assert isinstance(made, bytes)
        return made

    def _inputs(self, facts: Facts) -> str:
        said = {**asdict(facts), "title": facts.form.title, "basis": facts.form.basis, "grants": facts.form.grants}
        said = {name: self._said(value) for name, value in said.items()}
        return orjson.dumps(said | {"qr": _qr(facts.verify_url)}).decode()

    def _said(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._fonts.legible(value)
        if isinstance(value, tuple):
            return [self._said(one) for one in value]
        return value.isoformat() if isinstance(value, date) else "" if value is None else value


def _qr(url: str) -> str:
    if not url:
        return ""
    drawn = io.BytesIO()
    segno.make(url, error="m", micro=False).save(drawn, kind="svg", border=0, xmldecl=False, svgns=True)
    return drawn.getvalue().decode()


def _points(length: str) -> float:
    return float(length.removesuffix("pt"))
