from adapters.curation.recipe import CurationRecipe
from adapters.curation.survey import Survey, survey
from adapters.sources.message import Message
from tests.adapters.curation.world import People, Said, said


def surveyed(*messages: Message, out: frozenset[str] = frozenset()) -> Survey:
    return survey(Said(messages), CurationRecipe(), People(out), lambda stage, done, total: None)


def test_the_audience_wrote_or_reacted() -> None:
    """Distinct people of a channel's month, those who only react among them."""
    found = surveyed(said(1, "ann", fans=3), said(2, "bo", fans=2), said(3, "ann"))
    assert [len(cell.people) for cell in found.cells] == [5]
    assert found.cells[0].messages == 3


def test_months_and_channels_are_apart_and_threads_with_their_channel() -> None:
    """A thread is too small to say what is usual."""
    month = 40 * 24 * 60
    found = surveyed(said(1), said(2, channel="b"), said(3, channel="t", parent="b"), said(4, minute=month))
    assert set(found.cell_of) == {("c", "2026-01"), ("b", "2026-01"), ("c", "2026-02")}
    assert found.places == {"c": 2, "b": 2}
    assert found.months == {"2026-01": 3, "2026-02": 1}


def test_who_may_not_be_learnt_from_counts_for_nothing() -> None:
    """Neither as a message of the channel nor as one of its audience; their name is still known, to be taken out of others' texts."""
    found = surveyed(said(1, "ann"), said(2, "out", fans=4), said(3, "robot", fans=4, is_bot=True), out=frozenset({"out"}))
    assert (found.cells[0].messages, len(found.cells[0].people)) == (1, 1)
    assert found.roster.named("out and robot") == {"out": "Out"}
    assert not found.scored


def test_candidates_are_numbers_only() -> None:
    """The loved messages, by id, with who reacted."""
    found = surveyed(said(1, "ann"), said(2, "bo", fans=2), said(9, "ann", fans=5))
    assert (list(found.candidates.ids), list(found.candidates.plain)) == ([2, 9], [2, 5])
    assert found.dropped["nobody reacted"] == 1
