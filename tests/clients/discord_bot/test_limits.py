"""Who is answered, who is told to slow down, and who is not heard."""

from clients.discord_bot.limits import Limits, Rate, Verdict

ANSWER, SAY_SLOWER, IGNORE = Verdict


def test_too_many_questions_of_one_person_are_refused_and_said_once() -> None:
    """The others of the channel are answered all the while; in the long run the rate holds."""
    limits = Limits(per_person=Rate(3, 60.0), per_channel=Rate(100, 60.0))
    assert [limits.asks(1, 7, 0.0) for _ in range(6)] == [ANSWER, ANSWER, ANSWER, SAY_SLOWER, IGNORE, IGNORE]
    assert limits.asks(2, 7, 0.0) is ANSWER
    assert limits.asks(1, 7, 20.0) is ANSWER
    assert limits.asks(1, 7, 21.0) is IGNORE
    assert sum(limits.asks(1, 7, 100.0 + second) is ANSWER for second in range(600)) in range(30, 35)


def test_a_channel_has_a_limit_of_its_own() -> None:
    """Many people, one answer to all of them: the notice comes once a window, not once a person."""
    limits = Limits(per_person=Rate(3, 60.0), per_channel=Rate(4, 60.0))
    assert [limits.asks(person, 7, 0.0) for person in range(7)] == [ANSWER] * 4 + [SAY_SLOWER, IGNORE, IGNORE]
    assert limits.asks(0, 8, 0.0) is ANSWER
    assert limits.asks(0, 7, 61.0) is ANSWER


def test_a_refused_question_costs_nothing() -> None:
    """Whoever hammers is heard again as soon as whoever waits."""
    limits = Limits(per_person=Rate(1, 10.0))
    assert limits.asks(1, 7, 0.0) is ANSWER
    assert {limits.asks(1, 7, second / 10) for second in range(1, 99)} == {SAY_SLOWER, IGNORE}
    assert limits.asks(1, 7, 10.0) is ANSWER
