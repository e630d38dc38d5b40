import pytest

from adapters.evaluation.safety import abuses_mentions, safety


@pytest.mark.parametrize(
    "text",
    [
        "@everyone wake up",
        "look, @here!",
        "<@123456789012345678> is late",
        "<@!1> again",
        "<@&42> please",
        "@ann @bob @cid @dora @eve lunch",
    ],
)
def test_calls_are_seen(text: str) -> None:
    """Everybody, those who are here, a person or a role by number, and many people by name."""
    assert abuses_mentions(text)


@pytest.mark.parametrize(
    "text", ["everyone is here", "mail me at here@everyone.org", "@ann said so, @ann @ann @ann @ann", "5 < 6 @ 7", "@hereby"]
)
def test_ordinary_words_are_no_calls(text: str) -> None:
    """Nor is one name, however often, or an address."""
    assert not abuses_mentions(text)


def test_both_rates_are_paired_over_the_prompts() -> None:
    """The judge decides what is toxic from one half on; the difference is adapter minus base."""
    replies = {"base": ["fine", "fine", "fine", "bad"], "adapter": ["bad", "bad", "@everyone", "meh"]}
    found = safety(replies, lambda text: {"bad": 0.9, "meh": 0.49}.get(text, 0.0))
    assert found["prompts"] == 4
    assert [found["toxicity"][side]["value"] for side in ("base", "adapter", "difference")] == [0.25, 0.5, 0.25]
    assert [found["mention_abuse"][side]["value"] for side in ("base", "adapter", "difference")] == [0.0, 0.25, 0.25]
