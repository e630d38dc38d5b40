"""Published adapters: validated, content-addressed, immutable; and the aliases that move. Light: no torch, no vLLM."""

from adapters.registry.base import Base, read_base
from adapters.registry.errors import (
    BadName,
    BaseError,
    Conflict,
    DamagedAdapter,
    DatabaseError,
    InvalidAdapter,
    RegistryError,
    StoreError,
    UnknownModel,
)
from adapters.registry.manifest import Manifest, State
from adapters.registry.names import BASE, CANARY, LIVE, ModelRef, engine_name, parse_model
from adapters.registry.snapshot import Pointer, Snapshot

__all__ = [
    "BASE",
    "CANARY",
    "LIVE",
    "BadName",
    "Base",
    "BaseError",
    "Conflict",
    "DamagedAdapter",
    "DatabaseError",
    "InvalidAdapter",
    "Manifest",
    "ModelRef",
    "Pointer",
    "RegistryError",
    "Snapshot",
    "State",
    "StoreError",
    "UnknownModel",
    "engine_name",
    "parse_model",
    "read_base",
]
