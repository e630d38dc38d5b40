"""What can be wrong on this machine: files that others may read, and its clock. Knows files, no network."""

from datetime import datetime
from pathlib import Path

from clients.cli.doctor.finding import Finding, ill, skipped, well
from clients.cli.exits import BAD_KEY
from clients.config_file import is_open
from clients.settings import ClientSettings

SKEW_S = 60.0
"""Keys that end by themselves, limits of a day and certificates all go by clocks; a minute harms none of them."""


def look_at_settings(settings: ClientSettings) -> Finding:
    """That they make sense is known by now."""
    if settings.config.is_file():
        return well("settings", f"{settings.config}, then the environment")
    return well("settings", f"the environment's alone; {settings.config} is not there")


def look_at_key(settings: ClientSettings) -> Finding:
    """Whether there is one."""
    if settings.withheld_for is not None:
        said = f"the one in {settings.config} is for {settings.withheld_for}, and this is {settings.url}"
        return ill("key", said, f"Set TROUPE_API_KEY to a key for {settings.url}.", BAD_KEY)
    if settings.api_key is None:
        return ill("key", "there is none", "Set TROUPE_API_KEY to the key that `make up` printed, or to one of your own.", BAD_KEY)
    return well("key", f"from {settings.origins.get('api_key')}")


def look_at_files(home: Path) -> Finding:
    """Keys, what was typed in chats, votes: the owner's alone."""
    candidates = [home / "chat_history", home / "votes.jsonl", *sorted((home / "keys").glob("*"))]
    try:
        found = [path for path in candidates if path.is_file()]
        exposed = [str(path) for path in found if is_open(path.stat().st_mode)]
    except OSError as exc:
        return ill("private files", f"{home} cannot be looked at: {exc.strerror}", "Run this as the one whose it is.")
    if exposed:
        return ill("private files", f"others on this machine may read {', '.join(exposed)}", f"Run: chmod 600 {' '.join(exposed)}")
    return well("private files", f"{len(found)} in {home}, the owner's alone") if found else skipped("private files", f"none in {home}")


def look_at_clock(there: datetime | None, here: datetime) -> Finding:
    """`there` is the gateway's clock, to a second."""
    if there is None:
        return skipped("clock", "the gateway does not say what time it is")
    ahead = (here - there).total_seconds()
    if abs(ahead) <= SKEW_S:
        return well("clock", "as the gateway's")
    side = "ahead of" if ahead > 0 else "behind"
    return ill("clock", f"{abs(ahead):.0f} s {side} the gateway's", "Set it by the network: timedatectl set-ntp true (here, or there).")
