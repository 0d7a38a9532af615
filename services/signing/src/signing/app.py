"""Wires signing's rooms."""

import asyncio

from chassis.bus import Listen
from chassis.service import Service
from contracts import topics
from signing.handlers import Handlers
from signing.settings import Settings
from signing.token import TokenDoor


def create(settings: Settings) -> Service:
    """Return signing, ready to run."""
    service = Service("Lianshen signing", settings)
    token = TokenDoor(
        settings.pkcs11_module,
        settings.pkcs11_token_label,
        settings.pkcs11_token_serial,
        settings.pkcs11_pin_file,
        settings.token_threads,
        may_make_key=settings.environment == "development",
    )

    async def token_is_open() -> bool:
        return await asyncio.get_running_loop().run_in_executor(token.executor, token.is_open)

    service.listens(Listen(topics.SEAL_REQUESTS, Handlers(token, service.wallclock).on_seal_requests))
    service.speaks(topics.SEALS)
    service.health.check("token", token_is_open)
    return service
