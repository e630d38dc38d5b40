"""Receiving uploads: a request's body becomes a folder, within bounds of size and time, and nothing of it stays.

The event loop only hands bytes on; parsing and writing happen in threads, so no stream waits for somebody's upload.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from server.gateway.admin.form import Form
from server.gateway.admin.moves import Documents
from server.gateway.body import CallerGone, drain
from server.gateway.errors import RegistryUnavailable, RequestTimedOut, UnsupportedEncoding, UploadTooLarge
from server.gateway.reply import Receive

log = logging.getLogger("troupe.gateway")

AT_ONCE = 4
"""Bounds the room that uploads take: the others wait, unread."""
BATCH_BYTES = 256 << 10
"""So much must come within the time-out, each time: a body that dribbles ends as one that stops."""


class Uploads:
    def __init__(self, *, weights_bytes: int, timeout: float, scratch: Path | None) -> None:
        """`weights_bytes`: the largest weights. `timeout`: seconds for each batch. `scratch`: None for the system's temporary folder."""
        self._weights_bytes = weights_bytes
        self._timeout = timeout
        self._scratch = scratch
        self._turns = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def receive(self, headers: Mapping[str, str], receive: Receive) -> AsyncIterator[tuple[Path, Documents]]:
        """The uploaded files, in a folder that is gone afterwards, whatever happens. Raises GatewayError or CallerGone."""
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            await drain({name.encode(): value.encode("latin-1") for name, value in headers.items()}, receive)
            raise UnsupportedEncoding("Send the body as it is: compressed bodies are not read here.")
        async with self._turns:
            try:
                form = await asyncio.to_thread(self._form, headers.get("content-type", ""))
            except OSError as exc:
                raise _no_room(exc) from exc
            try:
                try:
                    await self._fill(form, headers.get("content-length", ""), receive)
                    files = await asyncio.to_thread(form.finish)
                except OSError as exc:
                    raise _no_room(exc) from exc
                yield files
            finally:
                await asyncio.to_thread(form.discard)

    def _form(self, content_type: str) -> Form:
        return Form(content_type, weights_bytes=self._weights_bytes, scratch=self._scratch)

    async def _fill(self, form: Form, length: str, receive: Receive) -> None:
        too_large = UploadTooLarge(f"The upload may have at most {form.total_bytes} bytes here.")
        if length.isdigit() and int(length[:20]) > form.total_bytes:
            raise too_large
        total, more = 0, True
        while more:
            batch, more = await self._batch(receive)
            total += len(batch)
            if total > form.total_bytes:
                raise too_large
            await asyncio.to_thread(form.feed, batch)

    async def _batch(self, receive: Receive) -> tuple[bytes, bool]:
        """The next bytes, and whether there may be more."""
        batch = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                while len(batch) < BATCH_BYTES:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise CallerGone
                    batch += message.get("body", b"")
                    if not message.get("more_body", False):
                        return bytes(batch), False
        except TimeoutError as exc:
            raise RequestTimedOut(f"Less than {BATCH_BYTES >> 10} KiB of the upload came within {self._timeout:g} seconds.") from exc
        return bytes(batch), True


def _no_room(exc: OSError) -> RegistryUnavailable:
    log.error("an upload cannot be kept: %s", exc)
    return RegistryUnavailable(f"The upload cannot be kept here ({exc.strerror}): make room in the gateway's temporary folder.")
