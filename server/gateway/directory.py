"""Which adapter a model string means now. The engine's names and the registry's digests stay on this side of it.

Answers from a snapshot in memory; `refresh` gets a new one, and is called beside the requests, never by them.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from adapters.registry import BASE, CANARY, LIVE, BadName, Manifest, ModelRef, RegistryError, Snapshot, State, UnknownModel, parse_model
from server.gateway.canary import takes_canary
from server.gateway.errors import ModelNotFound, RegistryUnavailable
from server.gateway.offer import offer
from server.gateway.registry import Registry

log = logging.getLogger("troupe.gateway")

REFRESH_SECONDS = 10.0
"""How long one look at the registry may take."""


@dataclass(frozen=True)
class Target:
    """Where one request goes. `tenant` separates what is cached for whom."""

    model: str
    """As the caller said it."""
    adapter: str
    """`zizou@7`, whatever was asked for, or `base`."""
    engine_name: str
    tenant: str


class Directory:
    """Holds the last snapshot that could be had: a registry that is away stops no answer.

    An adapter made for another base is not served: to callers it is not there.
    """

    def __init__(self, registry: Registry, *, base_fingerprint: str, started: int) -> None:
        """`started`: Unix time that the base is listed with."""
        self._registry = registry
        self._base_fingerprint = base_fingerprint
        self._started = started
        self._held: Snapshot | None = None
        self._failure: str | None = None
        self._refreshing = asyncio.Lock()

    @property
    def snapshot(self) -> Snapshot | None:
        """None until the registry was read for the first time."""
        return self._held

    @property
    def failure(self) -> str | None:
        """Why the last look at the registry brought nothing, one sentence; None while it works."""
        return self._failure

    async def refresh(self) -> Snapshot:
        """Look at the registry now: what was written before this call is in what it returns. Raises RegistryError.

        Looks follow each other, so that an old one that took long never replaces a new one.
        """
        async with self._refreshing:
            try:
                async with asyncio.timeout(REFRESH_SECONDS):
                    self._held = await self._registry.snapshot(self._held)
            except (RegistryError, TimeoutError) as exc:
                self._note(exc)
                if isinstance(exc, RegistryError):
                    raise
                raise RegistryUnavailable("The registry does not answer in time. Try again in a moment.") from exc
            self._note(None)
            return self._held

    async def follow(self, *, every: float) -> None:
        """Refresh every so many seconds, until cancelled."""
        while True:
            try:
                with suppress(RegistryError, RegistryUnavailable):
                    await self.refresh()
            except Exception:  # a bug must not leave this gateway on one snapshot for ever
                log.exception("the registry could not be read")
                self._failure = "The registry cannot be read: the gateway's log says why."
            await asyncio.sleep(every)

    def find(self, model: str, conversation: Callable[[], str], *, within: frozenset[str] | None) -> Target:
        """`conversation` gives the key by which a canary is chosen; it is called only where one takes a share.

        `within`, here and below: the communities whose models the caller may see, None for all.
        Raises ModelNotFound, with the same words for a name that cannot be, one that is not there and one that is not the caller's, or
        RegistryUnavailable.
        """
        if model == BASE:
            return Target(model, adapter=BASE, engine_name=BASE, tenant=BASE)
        manifest = self._resolve(model, conversation, within)
        return Target(model, adapter=str(manifest.ref), engine_name=manifest.engine_name, tenant=manifest.community)

    def likely(self, model: str, *, within: frozenset[str] | None) -> list[Manifest]:
        """The versions that may answer to `model`: none for the base, several while a canary takes a share of it.

        Raises ModelNotFound or RegistryUnavailable.
        """
        if model == BASE:
            return []
        found = [self._resolve(model, None, within)]
        ref = parse_model(model)
        if ref.alias == LIVE and ref.version is None:
            canary = self._canary(self._known(), ref.community, None)
            if canary is not None and canary.version != found[0].version:
                found.append(canary)
        return found

    def models(self, *, within: frozenset[str] | None) -> list[dict[str, Any]]:
        """The base and every community with a live adapter, in OpenAI's shape."""
        entries = [self.model(BASE, within=within)]
        for community in self._known().communities():
            with suppress(ModelNotFound):
                entries.append(self.model(community, within=within))
        return entries

    def model(self, model: str, *, within: frozenset[str] | None) -> dict[str, Any]:
        """One entry of `models`, also for a version or an alias. Raises ModelNotFound or RegistryUnavailable."""
        if model == BASE:
            return {"id": model, "object": "model", "created": self._started, "owned_by": "troupe"}
        manifest = self._resolve(model, None, within)
        pointer = self._known().canary(manifest.community)
        return offer(model, manifest, pointer if model == manifest.community else None)

    def community_of(self, adapter: str, *, within: frozenset[str] | None) -> str:
        """The community of `zizou@7`, a version that there is or was. Raises ModelNotFound or RegistryUnavailable."""
        snapshot = self._known()
        with suppress(BadName):
            ref = parse_model(adapter)
            if (within is None or ref.community in within) and ref.version in snapshot.versions.get(ref.community, {}):
                return ref.community
        raise _not_found(adapter)

    def knows(self, community: str) -> bool:
        """Whether it has versions. Raises RegistryUnavailable."""
        return community in self._known().versions

    def plan(self, community: str) -> dict[str, Any]:
        """Which versions answer for it, if they can, and how many percent of what asks for live the canary is to have.

        Raises RegistryUnavailable.
        """
        snapshot = self._known()
        live, pointer = None, snapshot.canary(community)
        with suppress(UnknownModel):
            found = snapshot.resolve(ModelRef(community))
            live = found if self.is_served(found) else None
        canary = self._canary(snapshot, community, None)
        named = {alias: None if manifest is None else str(manifest.ref) for alias, manifest in ((LIVE, live), (CANARY, canary))}
        return {**named, "share": pointer.share if pointer is not None and canary is not None else 0.0}

    def is_served(self, manifest: Manifest) -> bool:
        return manifest.state is State.PUBLISHED and manifest.base_fingerprint == self._base_fingerprint

    def _resolve(self, model: str, conversation: Callable[[], str] | None, within: frozenset[str] | None) -> Manifest:
        snapshot = self._known()
        try:
            ref = parse_model(model)
            if within is not None and ref.community not in within:
                raise _not_found(model)
            if conversation is not None and ref.alias == LIVE and ref.version is None:
                canary = self._canary(snapshot, ref.community, conversation)
                if canary is not None:
                    return canary
            manifest = snapshot.resolve(ref)
        except (BadName, UnknownModel) as exc:
            raise _not_found(model) from exc
        if not self.is_served(manifest):
            raise _not_found(model)
        return manifest

    def _canary(self, snapshot: Snapshot, community: str, conversation: Callable[[], str] | None) -> Manifest | None:
        """The canary, if this conversation (None: any of them) takes it and it can be served; else live answers."""
        pointer = snapshot.canary(community)
        if pointer is None:
            return None
        if conversation is not None and pointer.share < 100 and not takes_canary(community, pointer.version, pointer.share, conversation()):
            return None
        with suppress(UnknownModel):
            manifest = snapshot.resolve(ModelRef(community, version=pointer.version))
            if self.is_served(manifest):
                return manifest
        return None

    def _known(self) -> Snapshot:
        if self._held is None:
            raise RegistryUnavailable("The models cannot be looked up at the moment. Try again in a moment.")
        return self._held

    def _note(self, error: Exception | None) -> None:
        """One line of the log when it begins to fail, when it fails in another way, and when it works again."""
        failure = None if error is None else f"The registry cannot be read ({type(error).__name__}): the gateway's log says why."
        if failure == self._failure:
            return
        if error is None:
            log.warning("the registry can be read again")
        else:
            log.error("the registry cannot be read: %s", str(error) or type(error).__name__)
        self._failure = failure


def _not_found(model: str) -> ModelNotFound:
    return ModelNotFound(f"The model {model[:80]!r} does not exist or you do not have access to it.", param="model")
