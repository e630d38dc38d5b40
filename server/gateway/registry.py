"""The part of the registry that the gateway uses, so that a test can hand in another one.

`adapters.registry.registry.Registry` is the real one; its docstrings say which errors are raised.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from adapters.registry import Base, Manifest, Snapshot


class Garbage(Protocol):
    @property
    def removed(self) -> Sequence[str]: ...

    @property
    def uploads(self) -> int: ...


class Damage(Protocol):
    @property
    def manifest(self) -> Manifest: ...

    @property
    def reason(self) -> str: ...


class Verified(Protocol):
    @property
    def checked(self) -> int: ...

    @property
    def damaged(self) -> Sequence[Damage]: ...


class Registry(Protocol):
    """Raises RegistryErrors only."""

    async def snapshot(self, after: Snapshot | None = None) -> Snapshot: ...

    async def show(self, community: str, version: int) -> Manifest: ...

    async def publish(
        self,
        community: str,
        directory: Path,
        *,
        base: Base,
        max_rank: int,
        by: str = "",
        training: Mapping[str, Any] | None = None,
        report_card: Mapping[str, Any] | None = None,
    ) -> Manifest: ...

    async def promote(self, community: str, version: int, *, alias: str = ..., by: str = "", override: str = "") -> Manifest: ...

    async def canary(self, community: str, version: int, *, share: float, by: str = "", override: str = "") -> Manifest: ...

    async def clear(self, community: str, alias: str, *, by: str = "") -> None: ...

    async def before(self, community: str, *, alias: str = ...) -> Manifest: ...

    async def rollback(self, community: str, *, alias: str = ..., by: str = "") -> Manifest: ...

    async def retire(self, community: str, version: int, *, by: str = "") -> Manifest: ...

    async def quarantine(self, community: str, version: int, reason: str) -> Manifest: ...

    async def gc(self) -> Garbage: ...

    async def verify(self) -> Verified: ...
