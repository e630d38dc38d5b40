"""The whole index at one revision: which versions there are, and where every alias points. Pure and immutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.registry.errors import UnknownModel
from adapters.registry.manifest import Manifest, State
from adapters.registry.names import CANARY, LIVE, ModelRef


@dataclass(frozen=True)
class Pointer:
    """Where an alias points. `share`: how many percent of what asks for `live` a canary gets, 0 to 100; 0 for every other alias."""

    version: int
    share: float = 0.0


@dataclass(frozen=True)
class Snapshot:
    """`revision` grows with every change of the index. Manifests come without training manifest and report card."""

    revision: int = 0
    versions: Mapping[str, Mapping[int, Manifest]] = field(default_factory=dict)
    """Community → version → manifest, oldest first."""
    aliases: Mapping[str, Mapping[str, Pointer]] = field(default_factory=dict)
    """Community → alias → pointer."""

    def communities(self) -> tuple[str, ...]:
        return tuple(sorted(self.versions))

    def manifests(self, community: str) -> tuple[Manifest, ...]:
        """All versions, oldest first; none for a community that is not known."""
        return tuple(self.versions.get(community, {}).values())

    def pointers(self, community: str) -> Mapping[str, Pointer]:
        return self.aliases.get(community, {})

    def resolve(self, ref: ModelRef) -> Manifest:
        """The adapter that `ref` means, canaries aside. Raises UnknownModel, also for one that is retired or quarantined."""
        version = ref.version
        if version is None and (pointer := self.pointers(ref.community).get(ref.alias)):
            version = pointer.version
        manifest = self.versions.get(ref.community, {}).get(version) if version is not None else None
        if manifest is None or manifest.state is not State.PUBLISHED:
            raise UnknownModel(f"There is no adapter {str(ref)!r}.")
        return manifest

    def canary(self, community: str) -> Pointer | None:
        """The canary that takes a share of what asks for `live`; None while it takes nothing."""
        pointer = self.pointers(community).get(CANARY)
        if pointer is None or pointer.share <= 0 or LIVE not in self.pointers(community):
            return None
        return pointer
