"""Published adapters: validated, content-addressed, immutable; and the aliases that move. Light: no torch, no vLLM."""

from adapters.registry.base import Base, read_base
from adapters.registry.errors import BadName, BaseError, DamagedAdapter, InvalidAdapter, RegistryError, UnknownModel
from adapters.registry.manifest import Manifest
from adapters.registry.names import BASE, LIVE, ModelRef, engine_name, parse_model
from adapters.registry.store import Registry, verified_path

__all__ = [
    "BASE",
    "LIVE",
    "BadName",
    "Base",
    "BaseError",
    "DamagedAdapter",
    "InvalidAdapter",
    "Manifest",
    "ModelRef",
    "Registry",
    "RegistryError",
    "UnknownModel",
    "engine_name",
    "parse_model",
    "read_base",
    "verified_path",
]
