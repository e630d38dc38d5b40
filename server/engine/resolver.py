"""The LoRA resolver that vLLM asks for a model name it does not know: engine name → verified files.

A name that is not an engine name is refused before the file system is touched, and bytes that are not the ones the name was made
from are refused after. Registered as the `troupe_lora_resolver` plugin; knows nothing of communities, aliases or keys.
"""

import asyncio
import logging
from pathlib import Path

from vllm.lora.request import LoRARequest
from vllm.lora.resolver import LoRAResolver, LoRAResolverRegistry

from adapters.registry import DamagedAdapter, verified_path
from server.engine.settings import EngineSettings

logger = logging.getLogger("vllm.troupe.resolver")


class VerifiedResolver(LoRAResolver):  # type: ignore[misc]  # vLLM is not typed for us
    def __init__(self, adapters: Path) -> None:
        self.adapters = adapters

    async def resolve_lora(self, base_model_name: str, lora_name: str) -> LoRARequest | None:
        """The adapter to load, or None, which vLLM answers with its 404."""
        try:
            # Hashing tens of megabytes: not on the loop that feeds everybody's streams.
            path = await asyncio.to_thread(verified_path, self.adapters, lora_name)
        except DamagedAdapter as exc:
            logger.error("%s", exc)
            return None
        if path is None:
            return None
        # vLLM gives the request a number of its own; any positive one does here.
        return LoRARequest(lora_name=lora_name, lora_int_id=1, lora_path=str(path))


def register() -> None:
    """Called by vLLM in each of its processes; calling it again replaces an equal resolver."""
    LoRAResolverRegistry.register_resolver("troupe", VerifiedResolver(EngineSettings().adapters_folder))
