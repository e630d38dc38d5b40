"""Where vLLM and our cache of adapters meet: the resolver that vLLM asks for a name it does not know, and the middleware that tells
which names are in use.

A name that is not an engine name is refused before a store is asked, and bytes that are not the ones the name was made from are never
handed out. Registered as the `troupe_lora_resolver` plugin; knows nothing of communities, aliases or keys.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vllm.lora.request import LoRARequest
from vllm.lora.resolver import LoRAResolver, LoRAResolverRegistry

from adapters.registry.blobs import BlobStore
from adapters.registry.errors import BadName, RegistryError, UnknownModel
from server.engine import cpu_lora
from server.engine.cache import AdapterCache, Patience, Store
from server.engine.in_flight import App, InFlight, Scope
from server.engine.settings import EngineSettings

NAME = "troupe"
GIB = 1 << 30

logger = logging.getLogger("vllm.troupe.resolver")


class VerifiedResolver(LoRAResolver):  # type: ignore[misc]  # vLLM is not typed for us
    """Engine name → verified files in a cache of at most `max_bytes`."""

    def __init__(self, store: Store, folder: Path, max_bytes: int, patience: Patience | None = None) -> None:
        self._cache = AdapterCache(store, folder, max_bytes, forget=self._forget, patience=patience)
        self._models: Any = None

    @contextmanager
    def using(self, name: str, scope: Scope) -> Iterator[None]:
        """Around each request that the engine gets for model `name`."""
        self._models = models = scope["app"].state.openai_serving_models
        try:
            with self._cache.using(name):
                yield
        finally:
            # vLLM keeps a lock for each name that was ever asked for, served or not.
            if not self._cache.in_use(name) and name not in models.lora_requests:
                models.lora_resolver_lock.pop(name, None)

    async def resolve_lora(self, base_model_name: str, lora_name: str) -> LoRARequest | None:
        """The adapter to load, or None, which vLLM answers with its 404."""
        if not self._cache.in_use(lora_name):
            logger.error("%r is asked for outside of any request that was counted: its files might be deleted under it.", lora_name[:80])
            return None
        try:
            path = await self._cache.fetch(lora_name)
        except (BadName, UnknownModel):
            return None
        except RegistryError as exc:
            logger.error("%s is not served: %s", lora_name, exc)
            return None
        # vLLM gives the request a number of its own; any positive one does here.
        return LoRARequest(lora_name=lora_name, lora_int_id=1, lora_path=str(path))

    def _forget(self, name: str) -> None:
        if self._models:
            self._models.lora_requests.pop(name, None)


class AdaptersInFlight(InFlight):
    """What `--middleware` names: vLLM makes it, with nothing but the application inside."""

    def __init__(self, app: App) -> None:
        super().__init__(app, LoRAResolverRegistry.get_resolver(NAME).using)


def register() -> None:
    """Called by vLLM in each of its processes; calling it again replaces an equal resolver. Opens nothing."""
    cpu_lora.install()
    settings = EngineSettings()
    resolver = VerifiedResolver(BlobStore(settings.store), settings.cache_folder, int(settings.cache_gib * GIB))
    LoRAResolverRegistry.register_resolver(NAME, resolver)
