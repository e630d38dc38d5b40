"""How often the bot begins anew with a Discord that ends every session."""

from clients.discord_bot.identifying import EVERY_S, FREE, LONGEST_S, Identifying


def test_a_day_of_sessions_that_end_at_once_uses_less_than_half_of_what_an_account_has() -> None:
    """Discord takes the token away at a thousand."""
    identifying, now, begun = Identifying(), 0.0, 0
    while now < 86_400:
        now += identifying.pause(0, now)
        identifying.begun(0, now)
        begun += 1
    assert FREE < begun < 500


def test_a_bad_hour_costs_nothing_extra_and_is_forgotten() -> None:
    """The first at once, the next few as the library does; a shard does not wait for another one."""
    identifying = Identifying()
    assert identifying.pause(0, 0.0) == 0.0
    for number in range(FREE):
        identifying.begun(0, 60.0 * number)
    assert identifying.pause(0, 60.0 * FREE) == 0.0
    assert identifying.pause(0, 60.0 * (FREE - 1)) == EVERY_S
    assert identifying.pause(1, 60.0 * FREE) == 0.0
    for _ in range(20):
        identifying.begun(0, 600.0)
    assert identifying.pause(0, 600.0) == LONGEST_S
    assert identifying.pause(0, 600.0 + 3600.0) == 0.0
