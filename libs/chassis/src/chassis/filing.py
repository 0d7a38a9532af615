"""Documents by their content, in object storage that services share (Art. 16)."""

from hashlib import sha256
from typing import Any
from urllib.parse import urlparse

import obstore
from obstore.store import from_url

from contracts.codes import Sha256


class FileLost(Exception):
    """What was filed is not there, or is not what was filed."""


class Filing:
    """The store at `url`: `file:///folder` or `s3://bucket/prefix`."""

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {"mkdir": True} if urlparse(url).scheme == "file" else {}
        self._store = from_url(url, **options)

    async def keep(self, content: bytes) -> Sha256:
        """File `content` and return its digest; the same content is the same file."""
        digest = Sha256(sha256(content).hexdigest())
        await self.put(_address(digest), content)
        return digest

    async def put(self, name: str, content: bytes) -> None:
        """Put `content` under a name of the caller's; whole or not at all."""
        await obstore.put_async(self._store, name, content)

    async def get(self, name: str) -> bytes:
        """Return what stands under a name. Raises FileLost."""
        try:
            found = await obstore.get_async(self._store, name)
            return bytes(await found.bytes_async())
        except FileNotFoundError as missing:
            raise FileLost(name) from missing

    async def read(self, digest: Sha256) -> bytes:
        """Return what was filed under its digest, held to it. Raises FileLost."""
        content = await self.get(_address(digest))
        if sha256(content).hexdigest() != digest:
            raise FileLost(f"{digest} is something else by now")
        return content

    async def has(self, digest: Sha256) -> bool:
        """Whether something is filed under a digest."""
        try:
            await obstore.head_async(self._store, _address(digest))
        except FileNotFoundError:
            return False
        return True

    async def forget(self, name: str) -> None:
        """Take away what stands under a name, if anything does."""
        try:
            await obstore.delete_async(self._store, name)
        except FileNotFoundError:
            return


def _address(digest: Sha256) -> str:
    return f"{digest[:2]}/{digest}.pdf"
