"""What stood before the second revision stands after it: running cases keep their versions, no material is lost."""

import asyncio
from uuid import UUID

import asyncpg
from alembic import command

from chassis import migrate
from chassis.database import Database
from contracts.codes import MaterialCode
from contracts.terms import Stage
from intake import store
from local.intake_alone import CODE, OPENS, application_id
from local.postgres import Postgres, create_databases
from procedure.stages import Declared

BEFORE = """
    INSERT INTO projects VALUES ('{code}', 1, '示例', 4, '210281', '91210281MA0ABC123K', '示例公司');
    INSERT INTO applications (application_id, project_code, stage, builder, jurisdiction, applied_at, passed)
        VALUES ('{id}', '{code}', 1, '91210281MA0ABC123K', '210281', '{at}', true);
    INSERT INTO project_materials VALUES ('{code}', 'M07', '{sha}', '地形图.pdf', 10, 1);
    INSERT INTO progress VALUES ('{id}', 'S1-09', '{id}', 1, 'RFB', '210281', 'ACCEPTED', NULL, '', 3, 2);
    INSERT INTO shown_clocks VALUES ('{id}', '{at}', 'GREEN', 1);
"""


def test_what_was_declared_before_keeps_its_versions_and_its_materials(postgres: Postgres) -> None:
    url = create_databases(postgres.admin_url, ["intake-before"], "test")["intake-before"]
    command.upgrade(migrate._configuration("intake", url), "0001")
    facts = {"code": CODE, "id": application_id(), "at": OPENS.isoformat(), "sha": "a" * 64}
    asyncio.run(_run(url, BEFORE.format(**facts)))
    migrate.upgrade("intake", url)
    asyncio.run(_holds(url, application_id()))


async def _run(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statements)
    await connection.close()


async def _holds(url: str, application: UUID) -> None:
    database = Database(url, "intake")
    await database.open()
    async with database.reading() as connection:
        known = await store.projects.known(connection, CODE, Stage.ENGINEERING, OPENS)
        found = await store.applications.find(connection, application)
        rows = await store.progress.load(connection, [application])
        (handed_in,) = await store.given.handed_in(connection, CODE)
    await database.close()
    assert found is not None
    assert (found.policies.catalogue_version, found.policies.policy_version) == ("2018.1", "178/2018")
    assert known.declared == [Declared(Stage.LAND_USE, True)] and list(known.held) == [MaterialCode("M07")]
    assert (handed_in.application_id, handed_in.given_at, handed_in.item_code) == (application, OPENS, None)
    assert [(row.state, row.pauses, row.resting) for row in rows.values()] == [("ACCEPTED", (), None)]
