"""A file from anywhere is judged in a process of its own, within bounds, and offline by `./run verify`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from evidence import confined, trust
from evidence.confined import CannotJudge
from evidence.documents import LARGEST, Finding, judge
from evidence.testing import HOUR, NOW, Authority, revoked, trust_folder
from evidence.testing_documents import office, prepared
from local import verify

ISSUER = Authority("签发机构", Authority())
OFFICE = office(ISSUER)
SEALED = OFFICE.seals(prepared())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trust_folder(tmp_path_factory.mktemp("trust"), ISSUER)


def test_the_verdict_is_the_same_as_without_bounds(folder: Path) -> None:
    trusted = trust.load(folder)
    for pdf in (SEALED, SEALED + b" ", b"", prepared()):
        assert confined.judge(pdf, folder) == judge(pdf, trusted, trusted.revocations())


@pytest.fixture(scope="module")
def without_lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trust folder that only says where the list is published."""
    address = '"http://127.0.0.1:1/issuing.crl"'
    return trust_folder(tmp_path_factory.mktemp("without"), ISSUER, crl=None, crl_url=address)


def test_without_a_list_of_revocations_nothing_is_said_of_a_good_seal(without_lists: Path) -> None:
    verdict = confined.judge(SEALED, without_lists)
    assert verdict.finding is Finding.REVOCATION_UNKNOWN
    assert "撤销名单" in verdict.sentence and verdict.organisation == "瓦房店市自然资源局"
    assert confined.judge(SEALED + b" ", without_lists).finding is Finding.ALTERED


def test_lists_that_were_fetched_count_where_the_folder_has_none_and_before_older_ones(
    folder: Path, without_lists: Path
) -> None:
    key, signer = ISSUER.certificate.key_id, OFFICE.seal.certificate
    nothing, revokes = ISSUER.revocations(number=2), ISSUER.revocations([revoked(signer, NOW - HOUR)], number=3)
    for one in (folder, without_lists):
        assert confined.judge(SEALED, one, fetched={key: nothing}).finding is Finding.VALID
        assert confined.judge(SEALED, one, fetched={key: revokes}).finding is Finding.REVOKED_BEFORE_SIGNING


def test_a_fetched_list_of_an_issuer_that_is_not_listed_any_more_says_nothing(folder: Path) -> None:
    other = Authority("旧机构", Authority())
    assert (
        confined.judge(SEALED, folder, fetched={other.certificate.key_id: other.revocations()}).finding is Finding.VALID
    )


def test_a_fetched_list_that_the_issuer_did_not_sign_judges_nothing(without_lists: Path) -> None:
    other = Authority("签发机构", Authority()).revocations()
    with pytest.raises(CannotJudge, match="not signed by"):
        confined.judge(SEALED, without_lists, fetched={ISSUER.certificate.key_id: other})


def test_what_takes_too_long_is_not_believed(folder: Path) -> None:
    verdict = confined.judge(SEALED, folder, seconds=0.001)
    assert verdict.finding is Finding.ALTERED
    assert "could not be judged within" in verdict.detail


def test_what_takes_too_much_memory_is_not_believed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "_command", lambda _: ["python3", "-c", "import sys; sys.exit(137)"])
    assert confined.judge(SEALED, folder).finding is Finding.ALTERED


def test_an_enormous_file_starts_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "_command", lambda _: ["false"])
    assert confined.judge(b"%PDF-" + b"\0" * LARGEST, folder).finding is Finding.ALTERED


@pytest.mark.parametrize("pdf", [b"", b"%PDF-1.7\n%%EOF\n", b"%PDE" * 1000], ids=["nothing", "a document", "noise"])
def test_a_file_without_a_trace_of_a_signature_starts_no_process(
    pdf: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = trust.load(folder)
    monkeypatch.setattr(confined, "_command", lambda _: ["false"])
    assert confined.judge(pdf, folder) == judge(pdf, trusted, trusted.revocations())


def test_a_bad_trust_list_says_nothing_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(CannotJudge, match=r"trust\.toml"):
        confined.judge(SEALED, tmp_path)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda pdf: pdf, 0, "VALID  文书真实有效"),
        (lambda pdf: pdf + b"\n", 1, "ALTERED  文书不可信"),
        (lambda pdf: b"%PDF-1.7\n", 1, "UNSIGNED  这个文件没有电子签章"),
    ],
    ids=["as sealed", "altered", "without a seal"],
)
def test_run_verify_says_it_in_a_sentence(
    change: Callable[[bytes], bytes],
    code: int,
    said: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "one.pdf").write_bytes(change(SEALED))
    assert verify.main([str(tmp_path / "one.pdf"), "--trust", str(folder)]) == code
    assert said in capsys.readouterr().out


def test_run_verify_says_that_revocations_are_not_known(
    without_lists: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.pdf").write_bytes(SEALED)
    assert verify.main([str(tmp_path / "one.pdf"), "--trust", str(without_lists)]) == 1
    assert "REVOCATION_UNKNOWN  暂时无法认定" in capsys.readouterr().out


def test_run_verify_without_file_or_trust_exits_2(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(SEALED)
    assert verify.main([str(tmp_path / "missing.pdf"), "--trust", str(folder)]) == 2
    assert verify.main([str(tmp_path / "one.pdf"), "--trust", str(tmp_path)]) == 2
