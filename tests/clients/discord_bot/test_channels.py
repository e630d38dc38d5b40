"""What is chosen for a channel: hours, inheritance, and nonsense that is refused in words."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from clients.discord_bot.channels import ChannelSettings, Mode, Quiet, effective
from clients.discord_bot.errors import BadChoice
from clients.discord_bot.guild_settings import GuildSettings

PARIS = ZoneInfo("Europe/Paris")


def at(hour: int, minute: int = 0, month: int = 1) -> float:
    return datetime(2026, month, 5, hour, minute, tzinfo=PARIS).timestamp()


@pytest.mark.parametrize(
    ("start", "end", "quiet", "not_quiet"),
    [
        ("22:00", "08:00", [(22, 0), (23, 59), (0, 0), (7, 59)], [(8, 0), (21, 59)]),
        ("12:30", "13:00", [(12, 30), (12, 59)], [(12, 29), (13, 0), (0, 0)]),
        ("0", "6", [(0, 0), (5, 59)], [(6, 0), (23, 0)]),
    ],
)
def test_quiet_hours_are_those_of_the_place(start: str, end: str, quiet: list[tuple[int, int]], not_quiet: list[tuple[int, int]]) -> None:
    """Over midnight or not, in winter and in summer."""
    hours = Quiet(start, end, "Europe/Paris")
    for month in (1, 7):
        assert all(hours.holds(at(*moment, month)) for moment in quiet)
        assert not any(hours.holds(at(*moment, month)) for moment in not_quiet)


def test_a_thread_has_what_its_channel_has_unless_it_has_its_own() -> None:
    """And where nobody chose anything, the bot answers mentions and nothing else."""
    own, parent = ChannelSettings(Mode.LIVELY), ChannelSettings(Mode.OFF)
    assert effective(own, parent) == own
    assert effective(None, parent) == parent
    assert effective(None, None).mode is Mode.MENTIONS


def test_a_hush_on_a_channel_holds_in_its_threads() -> None:
    """Whatever else they chose."""
    assert effective(ChannelSettings(Mode.LIVELY), ChannelSettings(hushed_until=5.0)) == ChannelSettings(Mode.LIVELY, hushed_until=5.0)
    assert effective(ChannelSettings(hushed_until=9.0), ChannelSettings(hushed_until=5.0)).hushed_until == 9.0


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda: Quiet("8", "8:00"),
        lambda: Quiet("25:00", "8"),
        lambda: Quiet("22:00", "8", "Atlantis/Middle"),
        lambda: Quiet("22:00", "8", "../etc/passwd"),
        lambda: Quiet("22:00", "8", ""),
        lambda: ChannelSettings(chance=1.5),
        lambda: ChannelSettings(cooldown_s=-1),
        lambda: ChannelSettings(wake_words=("x",)),
        lambda: ChannelSettings(wake_words=("goal",) * 11),
        lambda: GuildSettings(late="x" * 300),
    ],
)
def test_nonsense_is_refused_with_a_sentence(nonsense: type[object]) -> None:
    """For whoever chose it."""
    with pytest.raises(BadChoice, match=r"^[A-Z'].*[.]$"):
        nonsense()


def test_what_another_version_wrote_is_read_as_far_as_it_is_known() -> None:
    """A field that is not known here does not lose the others."""
    assert ChannelSettings.from_json({"mode": "lively", "telepathy": True}) == ChannelSettings(Mode.LIVELY)
    assert GuildSettings.from_json({"learn": True, "telepathy": True}) == GuildSettings(learn=True)
