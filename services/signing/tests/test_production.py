"""What development may leave out, and production may not (Art. 16, 19)."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evidence.testing import Authority, trust_folder
from procedure.tables import CatalogueInvalid
from signing.app import create
from signing.settings import Settings

ISSUER = Authority("签发机构", Authority())


def settings(trust: Path, **changes: Any) -> Settings:
    given: dict[str, Any] = {
        "service_name": "signing",
        "environment": "production",
        "kafka_bootstrap_servers": "k:1",
        "database_url": "postgresql://u@h/d",
        "trust_folder": trust,
        "pkcs11_module": "module.so",
        "pkcs11_pin_folder": "pins",
        "platform_certificate_file": "platform.pem",
        "login_origin": "https://lianshen.example",
        "systems_decide": "210281.GHJ",
    }
    return Settings(**given | changes)


def test_production_takes_no_origin_whose_cookies_anybody_on_the_way_reads(tmp_path: Path) -> None:
    assert settings(tmp_path)
    assert settings(tmp_path, login_origin="http://127.0.0.1:1", environment="development")
    with pytest.raises(ValidationError, match="LOGIN_ORIGIN"):
        settings(tmp_path, login_origin="http://lianshen.example")


def test_production_seals_files_and_nothing_less(tmp_path: Path) -> None:
    trust = trust_folder(tmp_path, ISSUER, seals='["瓦房店市自然资源局"]')
    with pytest.raises(ValueError, match="DOCUMENT_FORM"):
        create(settings(trust, document_form="digest"))


def test_production_does_not_start_where_everybodys_seals_count(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must name the seals of 签发机构"):
        create(settings(trust_folder(tmp_path / "open", ISSUER)))
    named = trust_folder(tmp_path / "named", ISSUER, seals='["瓦房店市自然资源局"]')
    with pytest.raises(CatalogueInvalid):
        create(settings(named, catalogue_path=tmp_path / "no-catalogue"))


@pytest.mark.parametrize("systems", ["*", "210281.GHJ, *"])
def test_production_says_whose_decisions_come_without_an_officers_signature(tmp_path: Path, systems: str) -> None:
    trust = trust_folder(tmp_path, ISSUER, seals='["瓦房店市自然资源局"]')
    with pytest.raises(ValueError, match="SYSTEMS_DECIDE"):
        create(settings(trust, systems_decide=systems))
    with pytest.raises(CatalogueInvalid):
        create(settings(trust, systems_decide="", catalogue_path=tmp_path / "no-catalogue"))
