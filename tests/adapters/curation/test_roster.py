from adapters.curation.roster import Roster


def roster(**people: str) -> Roster:
    made = Roster()
    for author_id, name in people.items():
        made.meet(author_id, name)
    return made


def test_names_are_found_by_whole_words() -> None:
    """In any capitals and beside punctuation, but not inside another word; of a long name a telling word is enough."""
    people = roster(a="Momo", b="The Doc | goalkeeper")
    assert people.named("ask momo!") == {"a": "Momo"}
    assert people.named("our Goalkeeper, the one") == {"b": "The Doc | goalkeeper"}
    assert people.named("momoland is the documentary") == {}


def test_earlier_names_are_still_theirs() -> None:
    """Somebody who changed the name is meant by both."""
    people = roster(a="Momo")
    people.meet("a", "Maurice")
    assert people.named("Maurice left") == {"a": "Maurice"}
    assert people.named("Momo left") == {"a": "Momo"}


def test_what_everybody_is_called_is_no_name() -> None:
    """Anonymous posters share one; two people who share a name are still found."""
    people = roster(**{f"p{number}": "Anonymous" for number in range(9)}, a="Alex", b="Alex")
    assert people.named("Anonymous said that Alex did") == {"a": "Alex"}


def test_names_without_words_or_too_short_are_left_alone() -> None:
    """An emoji or two letters would be found in every text."""
    assert roster(a="😂", b="al", c="").named("al said 😂") == {}


def test_names_may_hold_anything() -> None:
    """A name of short words is found by its first."""
    assert roster(a="J.R. (x)").named("is J here?") == {"a": "J.R. (x)"}
