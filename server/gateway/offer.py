"""One entry of the list of models, in OpenAI's shape, with what a chat key may know of the adapter behind it. Pure."""

from datetime import datetime
from typing import Any

from adapters.registry import Manifest, Pointer


def offer(model: str, manifest: Manifest, canary: Pointer | None) -> dict[str, Any]:
    """`model`: as callers say it; `manifest`: what it means; `canary`: what takes a share of it, if anything does."""
    lesson = manifest.lesson or {}
    return {
        "id": model,
        "object": "model",
        "created": int(datetime.fromisoformat(manifest.published_at).timestamp()),
        "owned_by": manifest.community,
        "adapter": str(manifest.ref),
        "published_at": manifest.published_at,
        "renderer": lesson.get("renderer"),
        "canary": None if canary is None else {"version": canary.version, "share": canary.share},
        "learnt": {"examples": lesson.get("examples"), "trained_at": lesson.get("made_at")} if lesson else None,
    }
