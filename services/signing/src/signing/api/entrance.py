"""The page where a person logs in: the agent beside the key signs, and signing opens the session (Art. 19).

The browser lets its script speak to signing and to the agent on the person's own machine, and to nobody else.
"""

import base64
from hashlib import sha256
from html import escape
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from signing import pages

SCRIPT: Final = pages.text("login.js")
SCRIPT_HASH: Final = base64.b64encode(sha256(SCRIPT.encode()).digest()).decode()


def router(agent_url: str) -> APIRouter:
    """Return the route; `agent_url` is where the page looks for the agent."""
    routes = APIRouter()
    page = pages.page("login").substitute(agent=escape(agent_url), script=SCRIPT)
    allowed = {"script_src": f"'sha256-{SCRIPT_HASH}'", "connect_src": f"'self' {agent_url}", "form_action": "'none'"}
    headers = pages.security(**allowed)

    @routes.get("/login", summary="登录页面", response_class=HTMLResponse)
    async def show_page() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)

    return routes
