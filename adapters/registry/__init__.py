"""Published adapters: validated, content-addressed, immutable; and the aliases that move. Light: no torch, no vLLM."""

from adapters.registry.base import Base, read_base
from adapters.registry.blobs import BlobStore
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
from adapters.registry.open import default_store, open_registry
from adapters.registry.registry import Damage, Garbage, Registry, Verified
from adapters.registry.snapshot import Pointer, Snapshot

__all__ = [
    "BASE",
    "CANARY",
    "LIVE",
    "BadName",
    "Base",
    "BaseError",
    "BlobStore",
    "Conflict",
    "Damage",
    "DamagedAdapter",
    "DatabaseError",
    "Garbage",
    "InvalidAdapter",
    "Manifest",
    "ModelRef",
    "Pointer",
    "Registry",
    "RegistryError",
    "Snapshot",
    "State",
    "StoreError",
    "UnknownModel",
    "Verified",
    "default_store",
    "engine_name",
    "open_registry",
    "parse_model",
    "read_base",
]
