"""How many are let to the engine at once, from what is seen of their tokens."""

from server.gateway.admission.seats import MOST, SPARE, UNKNOWN, Seats


def stream(seats: Seats, *, beginning: int, looks: int, backlog: bool = True) -> None:
    """Tokens come, while so many are without their first."""
    for _ in range(looks):
        before = seats.limit
        seats.beginning, seats.backlog = beginning, backlog
        for _ in range(100 * MOST):
            seats.token()
            if not seats.backlog or seats.limit != before:
                break


def test_an_engine_that_computes_all_it_was_asked_keeps_its_seats() -> None:
    """A few at their beginning are right: they take a seat in the step in which it falls free."""
    seats = Seats(16)
    stream(seats, beginning=SPARE, looks=20)
    assert seats.limit == 16 + SPARE


def test_an_engine_with_a_queue_inside_gets_fewer_seats() -> None:
    """Its memory holds 20 at once and not 64: the rest would wait where nobody orders them."""
    seats = Seats(64)
    for _ in range(60):
        stream(seats, beginning=max(0, seats.limit - 20), looks=1)
    assert 20 <= seats.limit <= 40


def test_seats_come_back_when_the_queue_inside_is_gone_and_somebody_waits() -> None:
    seats = Seats(64)
    stream(seats, beginning=60, looks=5)
    assert seats.limit < 64
    low = seats.limit
    for _ in range(200):
        seats.token()
    stream(seats, beginning=1, looks=60)
    assert seats.limit == 64 + SPARE > low


def test_of_an_engine_of_unknown_size_the_seats_are_found_out() -> None:
    """It computes 48 at once; nobody said so."""
    seats = Seats(None)
    assert seats.limit == UNKNOWN
    for _ in range(80):
        stream(seats, beginning=max(1, seats.limit - 48), looks=1)
    assert 48 <= seats.limit <= 72


def test_there_is_always_a_seat() -> None:
    seats = Seats(1)
    stream(seats, beginning=3, looks=50)
    assert seats.limit >= 1
