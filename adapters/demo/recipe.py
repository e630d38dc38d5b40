"""Every number that the demo is made from. Light: the cache is looked up without importing torch."""

from dataclasses import asdict, dataclass, field
from hashlib import sha256
from json import dumps
from pathlib import Path


@dataclass(frozen=True)
class Training:
    """How long one model trains: examples (0 = all there are), passes over them, tokens a batch, the peak learning rate."""

    examples: int
    epochs: float
    tokens: int
    learning_rate: float
    muon_rate: float = 0.0


@dataclass(frozen=True)
class DemoRecipe:
    """`messages` per community; the sizes of the base; how base and adapters train. The same recipe gives the same texts."""

    seed: int = 7
    messages: int = 10000
    vocabulary: int = 2048
    hidden: int = 256
    layers: int = 3
    intermediate: int = 768
    context_length: int = 2048
    base: Training = field(default_factory=lambda: Training(examples=13500, epochs=1, tokens=2048, learning_rate=16e-3, muon_rate=0.02))
    adapter: Training = field(default_factory=lambda: Training(examples=1400, epochs=1, tokens=1024, learning_rate=3e-3))
    rank: int = 8


def content_hash(recipe: DemoRecipe) -> str:
    """16 hex digits that change whenever the recipe, or the code that a demo is made with, does."""
    digest = sha256(dumps(asdict(recipe), sort_keys=True).encode())
    package = Path(__file__).parent.parent
    for source in sorted(package.rglob("*.py")):
        name = source.relative_to(package).as_posix()
        if name == "conversation.py" or name.split("/")[0] in {"demo", "sources", "curation", "training"}:
            digest.update(name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
