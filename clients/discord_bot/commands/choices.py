"""What an admin chose in words, as settings, and settings in words. Pure."""

import re
from dataclasses import replace

from clients.discord_bot.channels import ChannelSettings, Mode, Quiet
from clients.discord_bot.commands import sentences
from clients.discord_bot.errors import BadChoice
from clients.discord_bot.guild_settings import GuildSettings, Level, Names

_HOURS = re.compile(r"(?P<start>[\d:]{1,5})\s*(?:-|–|to)\s*(?P<end>[\d:]{1,5})(?:\s+(?P<zone>[\w+/-]{1,60}))?", re.ASCII)


def chosen_channel(
    held: ChannelSettings, *, mode: str | None, chance: float | None, cooldown: int | None, quiet: str | None, wake: str | None
) -> ChannelSettings:
    """`held` with what was chosen, in per cent and minutes; None leaves it. Raises BadChoice."""
    return replace(
        held,
        mode=held.mode if mode is None else Mode(mode),
        chance=held.chance if chance is None else chance / 100,
        cooldown_s=held.cooldown_s if cooldown is None else cooldown * 60.0,
        quiet=held.quiet if quiet is None else hours(quiet),
        wake_words=held.wake_words if wake is None else words(wake),
    )


def hours(said: str) -> Quiet | None:
    """`22:00-07:00 Europe/Paris`, in UTC if no zone is said; None for `none`. Raises BadChoice."""
    if said.strip().lower() == sentences.NONE:
        return None
    read = _HOURS.fullmatch(said.strip())
    if read is None:
        raise BadChoice(sentences.QUIET_HOURS_UNREAD)
    return Quiet(read["start"], read["end"], read["zone"] or "UTC")


def words(said: str) -> tuple[str, ...]:
    """`zizou, old man`; none for `none`."""
    if said.strip().lower() == sentences.NONE:
        return ()
    return tuple(dict.fromkeys(word for part in said.split(",") if (word := " ".join(part.split()))))


def described_channel(channel: int, chosen: ChannelSettings, now: float) -> str:
    """Unix time `now`."""
    lines = [sentences.channel_mode(channel, chosen.mode)]
    if chosen.mode is Mode.LIVELY:
        lines.append(sentences.channel_chance(100 * chosen.chance, chosen.cooldown_s / 60))
        if chosen.wake_words:
            lines.append(sentences.channel_wake_words(list(chosen.wake_words)))
        if chosen.quiet is not None:
            lines.append(sentences.channel_quiet_hours(chosen.quiet.start, chosen.quiet.end, chosen.quiet.zone))
    if chosen.hushed_until > now:
        lines.append(sentences.quiet_until(int(chosen.hushed_until)))
    return "\n".join(lines)


def described_guild(chosen: GuildSettings) -> str:
    filtered = {Level.OFF: sentences.FILTER_OFF, Level.MILD: sentences.FILTER_MILD, Level.STRICT: sentences.FILTER_STRICT}
    return "\n".join(
        [
            filtered[chosen.level],
            sentences.STREAMS if chosen.streaming else sentences.STREAMS_NOT,
            sentences.PAUSES if chosen.pauses else sentences.PAUSES_NOT,
            sentences.NAMES_TRAINED if chosen.names is Names.TRAINED else sentences.NAMES_DISPLAY,
            sentences.late_words(chosen.late),
            sentences.LEARNS if chosen.learn else sentences.LEARNS_NOT,
        ]
    )
