"""Alembic's environment for every service; the machinery stands in `chassis.migrate`."""

import asyncio

from alembic import context

from chassis.migrate import run_migrations

asyncio.run(run_migrations(context.config.attributes["url"], context))
