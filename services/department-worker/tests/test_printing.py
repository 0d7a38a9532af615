"""Documents as they are printed: the same facts are the same bytes, nothing that is said vanishes, every font is in it.

The pinned fonts and poppler come from `local.fonts`.
"""

import hashlib
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.terms import DocumentKind, ItemKind
from department_worker.documents import FORMS, number
from department_worker.fonts import PROBES, Fonts, FontsIncomplete
from department_worker.printing import Printed, Printer
from local import fonts as local_fonts
from local.papers import FACTS


@pytest.fixture(scope="module")
def fonts() -> Fonts:
    return Fonts(local_fonts.prepare())


@pytest.fixture(scope="module")
def printer(fonts: Fonts) -> Printer:
    return Printer(fonts)


def text_of(pdf: bytes, folder: Path) -> str:
    (folder / "one.pdf").write_bytes(pdf)
    done = subprocess.run(["pdftotext", folder / "one.pdf", "-"], capture_output=True, check=True)
    return re.sub(r"\s", "", done.stdout.decode())


def fonts_of(pdf: bytes, folder: Path) -> list[list[str]]:
    (folder / "one.pdf").write_bytes(pdf)
    done = subprocess.run(["pdffonts", folder / "one.pdf"], capture_output=True, check=True)
    return [line.split() for line in done.stdout.decode().splitlines()[2:]]


ANEW = """
import hashlib, pickle, sys
from pathlib import Path
from department_worker.fonts import Fonts
from department_worker.printing import Printer
facts = pickle.load(sys.stdin.buffer)
print(hashlib.sha256(Printer(Fonts(Path(sys.argv[1]))).document(facts).pdf).hexdigest())
"""


def test_the_same_facts_are_the_same_bytes_in_another_process(fonts: Fonts, printer: Printer) -> None:
    printer.document(replace(FACTS, opinion="在先的另一份"))
    here = hashlib.sha256(printer.document(FACTS).pdf).hexdigest()
    command = [sys.executable, "-c", ANEW, str(fonts.folder)]
    anew = subprocess.run(command, input=pickle.dumps(FACTS), capture_output=True, check=True, timeout=60)
    assert anew.stdout.decode().strip() == here


def test_other_facts_are_another_document(printer: Printer) -> None:
    assert printer.document(replace(FACTS, opinion="同意。")).pdf != printer.document(FACTS).pdf


@pytest.mark.parametrize(("kind", "of"), FORMS, ids=lambda one: one.value if one else "WINDOW")
def test_every_kind_says_who_whom_what_and_by_which_law(
    kind: DocumentKind, of: ItemKind | None, printer: Printer, tmp_path: Path
) -> None:
    facts = replace(FACTS, kind=kind, item_kind=of)
    said = text_of(printer.document(facts).pdf, tmp_path)
    for words in (facts.authority, facts.number, facts.form.title, facts.addressee, facts.form.basis, facts.code):
        assert re.sub(r"\s", "", words) in said
    assert "2026年3月17日" in said
    remedies = kind in (DocumentKind.REFUSAL, DocumentKind.NOT_ACCEPTED) and facts.form.template != "opinion"
    assert ("行政复议" in said and "行政诉讼" in said) == remedies


@pytest.mark.parametrize("letter", PROBES)
def test_rare_characters_of_names_have_glyphs(letter: str, fonts: Fonts) -> None:
    assert fonts.has(letter)


def test_rare_characters_of_names_are_printed(printer: Printer, tmp_path: Path) -> None:
    pdf = printer.document(replace(FACTS, addressee=PROBES)).pdf
    assert PROBES in text_of(pdf, tmp_path)


def test_what_no_font_has_is_printed_as_its_code_point(fonts: Fonts, printer: Printer, tmp_path: Path) -> None:
    assert not fonts.has("\U0010fffd")
    pdf = printer.document(replace(FACTS, addressee="张\U0010fffd")).pdf
    assert "张〔U+10FFFD〕" in text_of(pdf, tmp_path)


def test_fonts_without_a_probe_are_refused(tmp_path: Path, fonts: Fonts) -> None:
    for name in ("NotoSerifCJK-Regular.ttc", "NotoSerifCJK-Bold.ttc", "HanaMinA.ttf"):
        (tmp_path / name).symlink_to(fonts.folder / name)
    (tmp_path / "HanaMinB.ttf").symlink_to(fonts.folder / "HanaMinA.ttf")
    with pytest.raises(FontsIncomplete, match="no glyph for"):
        Fonts(tmp_path)


@pytest.mark.parametrize("content", [b"", b"ttcf", b"\0\1\0\0" + b"\xff" * 40])
def test_a_font_that_cannot_be_read_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "NotoSerifCJK-Regular.ttc").write_bytes(content)
    with pytest.raises(FontsIncomplete, match=r"NotoSerifCJK-Regular\.ttc"):
        Fonts(tmp_path)


def test_every_font_is_embedded_as_a_subset_and_no_other_is_used(printer: Printer, tmp_path: Path) -> None:
    rows = fonts_of(printer.document(FACTS).pdf, tmp_path)
    assert rows
    for row in rows:
        assert row[-5:-2] == ["yes", "yes", "yes"]
        assert any(known in row[0] for known in ("NotoSerifCJKsc", "HanaMin"))


def test_a_seal_is_drawn_without_fonts(printer: Printer, tmp_path: Path) -> None:
    seal = printer.seal("瓦房店市自然资源局", is_test=True)
    assert fonts_of(seal, tmp_path) == []
    assert seal != printer.seal("瓦房店市自然资源局", is_test=False)


def test_the_code_stands_on_one_line_however_long_the_name_of_the_authority(printer: Printer, tmp_path: Path) -> None:
    for authority in (FACTS.authority, "大连长兴岛经济技术开发区住房和城乡建设管理服务中心分局"):
        (tmp_path / "one.pdf").write_bytes(printer.document(replace(FACTS, authority=authority)).pdf)
        done = subprocess.run(["pdftotext", tmp_path / "one.pdf", "-"], capture_output=True, check=True)
        assert FACTS.code in done.stdout.decode()


def test_what_is_said_is_text_and_never_markup(printer: Printer, tmp_path: Path) -> None:
    hostile = '#panic("x") $x$ *b* \\ #read("form.typ") @seal <seal> //'
    said = text_of(printer.document(replace(FACTS, opinion=hostile)).pdf, tmp_path)
    assert re.sub(r"\s", "", hostile) in said


def test_the_longest_opinion_runs_over_pages_and_the_seal_stands_on_the_last(printer: Printer) -> None:
    one = printer.document(FACTS)
    long = printer.document(replace(FACTS, opinion="审" * 4000))
    assert isinstance(long, Printed)
    assert one.page == 1 < long.page
    assert 0 < long.x < 595 and 0 < long.y < 842


def test_a_number_names_its_series_its_year_and_its_place_in_both() -> None:
    assert number("瓦自然资许准", 2026, 12) == "瓦自然资许准〔2026〕12号"
