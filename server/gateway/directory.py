"""Which adapter a model string means now. The engine's names and the registry's digests stay on this side of it."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from adapters.registry import BASE, BadName, Manifest, ModelRef, UnknownModel, parse_model
from server.gateway.errors import ModelNotFound


class Adapters(Protocol):
    """The part of the registry that serving needs."""

    def communities(self) -> tuple[str, ...]: ...

    def resolve(self, ref: ModelRef) -> Manifest: ...


@dataclass(frozen=True)
class Target:
    """Where one request goes. `tenant` separates what is cached for whom."""

    model: str
    engine_name: str
    tenant: str


class Directory:
    """Reads the registry at every question, so a promotion holds from the next request on.

    An adapter made for another base is not served: to callers it is not there.
    """

    def __init__(self, adapters: Adapters, *, base_fingerprint: str, started: int) -> None:
        """`started`: Unix time that the base is listed with."""
        self._adapters = adapters
        self._base_fingerprint = base_fingerprint
        self._started = started

    def find(self, model: str) -> Target:
        """Raises ModelNotFound, with the same words for a name that cannot be and one that is not there."""
        if model == BASE:
            return Target(model, engine_name=BASE, tenant=BASE)
        manifest = self._resolve(model)
        return Target(model, engine_name=manifest.engine_name, tenant=manifest.community)

    def models(self) -> list[dict[str, Any]]:
        """The base and every community with a live adapter, in OpenAI's shape."""
        entries = [self.model(BASE)]
        for community in self._adapters.communities():
            with suppress(ModelNotFound):
                entries.append(self.model(community))
        return entries

    def model(self, model: str) -> dict[str, Any]:
        """One entry of `models`, also for a version or an alias. Raises ModelNotFound."""
        created, owner = self._started, "troupe"
        if model != BASE:
            manifest = self._resolve(model)
            created, owner = int(datetime.fromisoformat(manifest.published_at).timestamp()), manifest.community
        return {"id": model, "object": "model", "created": created, "owned_by": owner}

    def _resolve(self, model: str) -> Manifest:
        try:
            manifest = self._adapters.resolve(parse_model(model))
        except (BadName, UnknownModel) as exc:
            raise _not_found(model) from exc
        if manifest.base_fingerprint != self._base_fingerprint:
            raise _not_found(model)
        return manifest


def _not_found(model: str) -> ModelNotFound:
    return ModelNotFound(f"The model {model[:80]!r} does not exist or you do not have access to it.", param="model")
