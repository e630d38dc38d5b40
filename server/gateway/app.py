"""The gateway, put together: its parts, the routes to them, and what runs beside the requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from adapters.registry import Base, DatabaseError, RegistryError
from server.accounts import KeyStore, KeysUnavailable
from server.accounts.books import Books
from server.accounts.cloud_events import Seal
from server.fleet.fleet import Fleet
from server.gateway.admin.rights import Rights
from server.gateway.admin.routes import build_admin_router
from server.gateway.admission.gate import Gate
from server.gateway.apis.public_document import public_document
from server.gateway.budget_routes import build_budget_router
from server.gateway.errors import RegistryUnavailable
from server.gateway.feedback.routes import build_feedback_router
from server.gateway.front import Front
from server.gateway.parts import Parts, make_parts
from server.gateway.registry import Registry
from server.gateway.routes import build_router, install_error_handlers
from server.gateway.settings import GatewaySettings

VERSION = "v1"
"""Of the admin API."""


def create_app(
    settings: GatewaySettings,
    *,
    fleet: Fleet,
    registry: Registry,
    keys: KeyStore,
    books: Books,
    base: Base,
    gate: Gate,
    max_rank: int,
    scratch: Path | None = None,
    refresh_every: float = 0.5,
    decide_every: float = 60.0,
) -> Front:
    """The ASGI application. Its lifespan opens and closes `fleet`; `registry`, `books` and what is below `keys` are closed by whoever
    opened them.

    Who is let in: the keys of the table, and those that the settings name.

    `gate`: closed by whoever ends the server. `max_rank`: the largest that the engine serves. `scratch`: an existing folder for uploads on
    their way, None for the system's temporary one. `refresh_every`: seconds between two looks at the registry; `decide_every`: at canaries
    that reactions decide about.
    Raises BaseError if the base's tokenizer or chat template cannot be used.
    """
    parts = make_parts(
        settings, fleet=fleet, registry=registry, keys=keys, books=books, base=base, gate=gate, max_rank=max_rank, scratch=scratch
    )
    running = partial(_running, parts=parts, refresh_every=refresh_every, decide_every=decide_every)
    rest = FastAPI(title="Troupe", version=VERSION, lifespan=running, openapi_url=None, redirect_slashes=False)
    document = public_document(parts.apis, version=VERSION)
    rest.include_router(build_router(parts, document=document, body_timeout=settings.body_timeout))
    rest.include_router(build_budget_router(authenticator=parts.authenticator, desk=parts.limits, currency=settings.currency))
    rest.include_router(build_feedback_router(authenticator=parts.authenticator, desk=parts.feedback, body_timeout=settings.body_timeout))
    admin = build_admin_router(
        parts,
        rights=Rights(parts.authenticator),
        mode="remote" if settings.engine_url else settings.mode,
        base_name=base.path.name,
        seal=Seal(settings.event_source, settings.currency),
        body_timeout=settings.body_timeout,
        document=rest.openapi,
    )
    rest.include_router(admin)
    install_error_handlers(rest)
    errors = {api.path: api.errors for api in parts.apis}
    return Front(parts.endpoints, rest, errors=errors, metrics=parts.metrics, max_head_bytes=settings.max_head_bytes)


@asynccontextmanager
async def _running(app: FastAPI, *, parts: Parts, refresh_every: float, decide_every: float) -> AsyncIterator[None]:
    """What runs beside the requests, from before the first to after the last."""
    await parts.fleet.open()
    with suppress(DatabaseError, KeysUnavailable):  # nobody is let in until they can be read
        await parts.ring.refresh()
    with suppress(RegistryError, RegistryUnavailable):  # without it, callers are told to come again
        await parts.directory.refresh()
    beside = (
        parts.directory.follow(every=refresh_every),
        parts.books.terms.follow(every=refresh_every),
        parts.lives.run(),
        parts.ring.follow(),
        parts.warmer.run(),
        parts.foresight.run(),
        parts.canaries.run(every=decide_every),
        parts.metrics.follow_wakes(),
    )
    tasks = [asyncio.create_task(work) for work in beside]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await parts.keys.close()
        with suppress(DatabaseError):  # nothing depends on it
            await parts.ring.note_used()
        await parts.upstream.close()
        await parts.fleet.close()
        await parts.lives.close()
