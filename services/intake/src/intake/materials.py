"""Materials by their content: streamed in, addressed by SHA-256, the same bytes stored once (Art. 8)."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlparse
from uuid import uuid4

import obstore
from obstore.store import from_url

from contracts.codes import Sha256
from procedure.refusals import Refusal

LARGEST_BYTES: Final = 200 * 1024 * 1024
PART_BYTES: Final = 5 * 1024 * 1024
MAGIC: Final[Mapping[str, bytes]] = {
    "application/pdf": b"%PDF-",
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
}


class MaterialTooLarge(Refusal):
    """材料文件超过 200 MB"""

    article = "第八条"
    status = 413


class MaterialEmpty(Refusal):
    """材料文件是空的"""

    article = "第八条"
    status = 422


class NotAScan(Refusal):
    """材料应为原件扫描件（PDF、JPEG 或 PNG），文件内容与声明的类型不符"""

    article = "第八条"
    status = 415


class MaterialBytesLost(Refusal):
    """材料文件 {sha256} 不在材料库中，请联系平台运维"""

    article = "第八条"
    status = 404


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored material: SHA-256 of the bytes, size in bytes, media type."""

    sha256: Sha256
    size: int
    media_type: str


class Materials:
    """The store at `url`; a new upload stands under a staging name until all of it is there."""

    def __init__(self, url: str) -> None:
        parsed = urlparse(url)
        options: dict[str, Any] = {"mkdir": True} if parsed.scheme == "file" else {}
        self._store = from_url(url, **options)

    async def keep(self, chunks: AsyncIterator[bytes], media_type: str) -> Stored:
        """Stream `chunks` in and return what was stored. Raises NotAScan, MaterialTooLarge or MaterialEmpty."""
        if media_type not in MAGIC:
            raise NotAScan
        staging = f"staging/{uuid4().hex}"
        digest, size = hashlib.sha256(), 0
        try:
            async with obstore.open_writer_async(self._store, staging, buffer_size=PART_BYTES) as writer:
                async for chunk in chunks:
                    if size == 0 and chunk and not chunk.startswith(MAGIC[media_type]):
                        raise NotAScan
                    size += len(chunk)
                    if size > LARGEST_BYTES:
                        raise MaterialTooLarge
                    digest.update(chunk)
                    await writer.write(chunk)
            if size == 0:
                raise MaterialEmpty
            return await self._settle(staging, Sha256(digest.hexdigest()), size, media_type)
        finally:
            await self._forget(staging)

    async def open(self, sha256: Sha256) -> AsyncIterator[bytes]:
        """Return the bytes of a stored material, streamed in parts. Raises MaterialBytesLost."""
        try:
            found = await obstore.get_async(self._store, _address(sha256))
        except FileNotFoundError:
            raise MaterialBytesLost(sha256=sha256) from None
        return _parts(found)

    async def _settle(self, staging: str, sha256: Sha256, size: int, media_type: str) -> Stored:
        address = _address(sha256)
        if not await self._has(address):
            await obstore.copy_async(self._store, staging, address)
        return Stored(sha256, size, media_type)

    async def _has(self, address: str) -> bool:
        try:
            await obstore.head_async(self._store, address)
        except FileNotFoundError:
            return False
        return True

    async def _forget(self, staging: str) -> None:
        try:
            await obstore.delete_async(self._store, staging)
        except FileNotFoundError:
            return


def _address(sha256: Sha256) -> str:
    return f"{sha256[:2]}/{sha256}"


async def _parts(found: Any) -> AsyncIterator[bytes]:
    async for part in found.stream(min_chunk_size=PART_BYTES):
        yield bytes(part)
