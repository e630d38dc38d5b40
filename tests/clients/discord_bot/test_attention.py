"""When the bot speaks, and when it does not. Pure."""

from typing import Any

import pytest

from clients.discord_bot.attention import LATE_S, STALE_S, Why, fraction, reason
from clients.discord_bot.channels import ChannelSettings, Mode, Quiet
from clients.discord_bot.heard import Heard

NOW = 1_795_000_000.0
LIVELY = ChannelSettings(Mode.LIVELY, chance=1.0, wake_words=("goal", "le coq"))


def message(text: str = "hello there", *, age: float = 1.0, number: int = 0, **more: Any) -> Heard:
    snowflake = (int((NOW - age) * 1000) - 1_420_070_400_000) << 22
    return Heard(snowflake + number, 1, "Alice", text, **more)


def why(heard: Heard, channel: ChannelSettings, *, spoke_at: float | None = None, now: float = NOW) -> Why | None:
    return reason(heard, channel, now=now, spoke_at=spoke_at)


def test_a_mention_is_answered_unless_the_channel_is_off_or_hushed() -> None:
    """Quiet hours and cooldowns are for what nobody asked for."""
    asked = message(addresses_me=True)
    night = Quiet("00:00", "23:59")
    assert why(asked, ChannelSettings()) is Why.ADDRESSED
    assert why(asked, ChannelSettings(quiet=night), spoke_at=NOW) is Why.ADDRESSED
    assert why(asked, ChannelSettings(Mode.OFF)) is None
    assert why(asked, ChannelSettings(hushed_until=NOW + 1)) is None
    assert why(asked, ChannelSettings(hushed_until=NOW)) is Why.ADDRESSED


@pytest.mark.parametrize("about", [{"is_self": True}, {"is_program": True}, {"in_server": False}])
def test_nobody_but_people_in_a_server_is_answered(about: dict[str, Any]) -> None:
    """However they address the bot."""
    assert why(message(addresses_me=True, **about), LIVELY) is None
    assert why(message("goal", **about), LIVELY) is None


def test_what_is_old_is_not_answered_any_more() -> None:
    """A mention for ten minutes, which is how long a dropped connection may take; a chance remark for one. Nor what is not written yet."""
    assert why(message(addresses_me=True, age=STALE_S - 1), ChannelSettings()) is Why.ADDRESSED
    assert why(message(addresses_me=True, age=STALE_S + 1), ChannelSettings()) is None
    assert why(message(addresses_me=True, age=-3600), ChannelSettings()) is None
    assert why(message(age=LATE_S - 1), LIVELY) is Why.CHANCE
    assert why(message(age=LATE_S + 1), LIVELY) is None
    assert why(message("goal", age=LATE_S + 1), LIVELY) is None


@pytest.mark.parametrize(
    ("text", "wakes"),
    [("GOAL!", True), ("what a goal", True), ("goals", False), ("own-goal", True), ("vive Le Coq", True), ("lecoq", False), ("", False)],
)
def test_wake_words_are_words(text: str, wakes: bool) -> None:
    """In any case, not inside others, and only where the channel is lively."""
    channel = ChannelSettings(Mode.LIVELY, chance=0.0, wake_words=("goal", "le coq"))
    assert (why(message(text), channel) is Why.WAKE_WORD) == wakes
    assert why(message(text), ChannelSettings(wake_words=("goal", "le coq"))) is None


def test_chance_keeps_its_share_and_its_verdict() -> None:
    """About as many messages as it says; the same message always gets the same lot."""
    channel = ChannelSettings(Mode.LIVELY, chance=0.1)
    messages = [message(number=number) for number in range(5000)]
    first = [why(heard, channel) is Why.CHANCE for heard in messages]
    assert 400 < sum(first) < 600
    assert first == [why(heard, channel) is Why.CHANCE for heard in messages]
    assert all(0 <= fraction(heard.id) < 1 for heard in messages)


def test_chance_waits_for_the_cooldown_and_for_the_morning() -> None:
    """Wake words need not wait for the former."""
    channel = ChannelSettings(Mode.LIVELY, chance=1.0, cooldown_s=60, wake_words=("goal",))
    assert why(message(), channel, spoke_at=NOW - 59) is None
    assert why(message(), channel, spoke_at=NOW - 60) is Why.CHANCE
    assert why(message("goal"), channel, spoke_at=NOW - 1) is Why.WAKE_WORD
    always = Quiet("00:00", "23:59:59")
    assert why(message("goal"), ChannelSettings(Mode.LIVELY, chance=1.0, quiet=always, wake_words=("goal",))) is None


def test_pictures_alone_are_no_reason() -> None:
    """There is nothing to say something to."""
    assert why(message(""), LIVELY) is None
