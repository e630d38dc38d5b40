import pytest

from adapters.curation.duplicates import Told, normalised

PASTA = "I have been a goalkeeper for fifteen years and never once have I seen anybody take a penalty with their eyes closed"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Never AGAIN!!", "never again"),
        ("looooool", "lol"),
        ("<@1> you again", "<@22> you, again..."),
        ("see https://a.example/1", "see https://b.example/2"),
        ("ｆｕｌｌ", "full"),
    ],
)
def test_what_a_person_would_call_the_same(one: str, other: str) -> None:
    """Capitals, punctuation, stretched letters, who is mentioned and which link make no difference."""
    assert normalised(one) == normalised(other) != ""
    told = Told(0.8)
    assert [told.again(one), told.again(other)] == [False, True]


@pytest.mark.parametrize(("one", "other"), [("goal", "coal"), ("😂", "💀"), ("no", "yes"), ("...", "?"), ("4-3", "3-4")])
def test_short_texts_differ_by_a_letter(one: str, other: str) -> None:
    """In short ones every letter counts."""
    told = Told(0.5)
    assert [told.again(one), told.again(other)] == [False, False]


def test_copypasta_with_small_changes_is_the_same() -> None:
    """A word more or less in twenty."""
    told = Told(0.8)
    variants = [PASTA, PASTA + " lol", "well " + PASTA, PASTA.replace("fifteen", "sixteen")]
    assert [told.again(text) for text in variants] == [False, True, True, True]


def test_long_texts_of_one_topic_are_not_the_same() -> None:
    """Sharing words is not sharing sentences."""
    told = Told(0.8)
    assert not told.again(PASTA)
    assert not told.again("in fifteen years nobody has ever seen a goalkeeper with closed eyes take a penalty, have they")


def test_zero_lets_everything_pass() -> None:
    """The setting that turns it off."""
    told = Told(0)
    assert [told.again("same"), told.again("same")] == [False, False]


def test_one_means_only_equal_texts() -> None:
    """At similarity 1 a changed word is another text."""
    told = Told(1)
    assert [told.again(PASTA), told.again(PASTA + " lol"), told.again(PASTA)] == [False, False, True]


def test_endless_texts_are_looked_at_in_part() -> None:
    """A hundred thousand characters take no longer than four thousand."""
    told = Told(0.8)
    long = " ".join(str(number) for number in range(20_000))
    assert [told.again(long), told.again(long + " more")] == [False, True]


@pytest.mark.parametrize("similarity", [0.01, 0.3, 0.9, 0.95, 0.99, 1])
def test_every_similarity_of_the_recipe_works(similarity: float) -> None:
    """Equal texts are the same and others are not, however strict."""
    told = Told(similarity)
    assert [told.again(PASTA), told.again(PASTA), told.again("0123456789 " * 5)] == [False, True, False]
