"""Whether a version's report card lets it answer people who did not ask for it. Pure: manifests in, nothing or a Conflict out."""

from collections.abc import Mapping
from typing import Any

from adapters.registry.errors import BadName, Conflict
from adapters.registry.manifest import Manifest
from adapters.registry.names import CANARY, LIVE

GUARDED = (LIVE, CANARY)
"""The aliases that answer for a community's bare name. Others are asked for by name, to try a version out."""
MAX_REASON_LENGTH = 300
_NAMED = 3


def check_reason(override: str) -> str:
    """Return why gates are overridden, without blanks around it; empty for nobody overrides. Raises BadName."""
    reason = override.strip()
    if len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
        raise BadName(f"The reason of an override must be at most {MAX_REASON_LENGTH} printable characters.")
    return reason


def has_failed(manifest: Manifest) -> bool:
    """Whether it came with a report card that says so. One without a card has not."""
    return manifest.report_card is not None and manifest.report_card.get("passed") is False


def needs_override(manifest: Manifest, alias: str, reason: str) -> bool:
    """Whether `reason` has to be recorded for `alias` to mean this version. Raises Conflict where one is needed and none is given.

    A version that was overridden before has its reason on record. `manifest` with its report card.
    """
    if alias not in GUARDED or not has_failed(manifest) or (manifest.override is not None and not reason):
        return False
    if not reason:
        raise Conflict(
            f"{manifest.ref} failed its gates ({said(manifest.report_card or {})}): train it better, or override them and say why"
            ' (`--override "why"`).'
        )
    return True


def failed_gates(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The gates of a report card that did not pass; whatever else a stranger's card holds is left out."""
    gates = card.get("gates")
    return [gate for gate in gates if isinstance(gate, Mapping) and gate.get("passed") is False] if isinstance(gates, list) else []


def said(card: Mapping[str, Any]) -> str:
    """The first failed gates in words."""
    words = [f"{_word(gate.get('name'))}: {_word(gate.get('value'))}, limit {_word(gate.get('limit'))}" for gate in failed_gates(card)]
    more = [f"and {len(words) - _NAMED} more"] if len(words) > _NAMED else []
    return "; ".join(words[:_NAMED] + more) or "its report card says that it did not pass"


def _word(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)[:60]
    return text if text.isprintable() else ascii(text)
