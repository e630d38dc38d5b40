"""The last wall: whatever is built, what leaves can ping nobody."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.discord_bot.errors import Unsendable
from clients.discord_bot.outgoing import LEFT_OUT, SUPPRESS_EMBEDS, Outgoing

OUTGOING = Outgoing(secrets=["the bot's token", ""])
SILENT = {"parse": [], "replied_user": False}
KEY = "tr_0123456789ab_" + "s3cret" * 6
DISCORD_TOKEN = "M" * 26 + "." + "G" * 6 + "." + "x" * 38
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just("@everyone <@1>"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["content", "data", "type", "flags", "embeds", "message"]), inner)
    ),
    max_leaves=8,
)


@given(content=st.text(max_size=50), flags=st.sampled_from([None, 0, 64, 4096]), mentions=ANYTHING, edited=st.booleans())
def test_a_message_can_ping_nobody_whatever_it_asked_for(content: str, flags: int | None, mentions: Any, edited: bool) -> None:
    """And unfolds no link, is not read aloud, and keeps what else it was: who sees it, what it answers."""
    body = {
        "content": content,
        "flags": flags,
        "allowed_mentions": mentions,
        "tts": True,
        "nonce": "1",
        "embeds": [] if edited else [{"url": "x"}],
    }
    sent = OUTGOING.checked(body)
    assert sent["allowed_mentions"] == SILENT
    assert sent["flags"] == (flags or 0) | SUPPRESS_EMBEDS
    assert (sent["nonce"], sent.get("embeds"), sent.get("tts")) == ("1", [] if edited else None, None)


@pytest.mark.parametrize("kind", [4, 7])
def test_answers_to_interactions_and_first_messages_of_threads_are_messages(kind: int) -> None:
    """They lie one level down."""
    assert OUTGOING.checked({"type": kind, "data": {"content": "@here", "flags": 64}})["data"]["allowed_mentions"] == SILENT
    assert OUTGOING.checked({"type": kind, "data": {"content": "@here", "flags": 64}})["data"]["flags"] == 64 | SUPPRESS_EMBEDS
    assert OUTGOING.checked({"name": "a thread", "message": {"content": "@here"}})["message"]["allowed_mentions"] == SILENT


@pytest.mark.parametrize(
    "body",
    [
        {"type": 9, "data": {"title": "A key", "custom_id": "link", "components": [{"type": 1, "components": []}]}},
        {"type": 8, "data": {"choices": [{"name": "zizou", "value": "zizou"}]}},
        {"type": 6},
        {"type": 1},
        [{"name": "persona", "description": "Who speaks", "type": 1}],
        {"name": "zizou's thread"},
    ],
)
def test_what_is_no_message_stays_as_it_is(body: Any) -> None:
    """Forms, choices, lists of commands."""
    assert OUTGOING.checked(body) == body


def test_keys_never_leave() -> None:
    """The bot's own, whatever they look like; a key of ours or of Discord's wherever it came from."""
    said = f"it is {KEY}, or the bot's token, or {DISCORD_TOKEN}; v1.2.3 is fine"
    sent = OUTGOING.checked({"content": said, "components": [{"type": 10, "content": KEY}]})
    assert sent["content"] == f"it is {LEFT_OUT}, or {LEFT_OUT}, or {LEFT_OUT}; v1.2.3 is fine"
    assert KEY not in json.dumps(sent)


@given(st.lists(st.sampled_from(["@everyone", "@here", "@Everyone", "@", " ", "<@1>", "a"]), max_size=400))
def test_nobody_who_repeats_it_pings_everyone(parts: list[str]) -> None:
    """And the text is no longer than before, so what fitted still fits."""
    text = "".join(parts)
    sent = OUTGOING.checked({"content": text})["content"]
    assert "@everyone" not in sent.lower()
    assert "@here" not in sent.lower()
    assert len(sent) == len(text)


@given(ANYTHING)
def test_any_json_goes_through_and_no_content_without_the_wall(body: Any) -> None:
    """Whatever its shape."""
    sent = json.loads(OUTGOING.guarded(json.dumps(body).encode()))
    if (
        isinstance(body, dict)
        and "content" in body
        and not isinstance(body.get("data"), dict)
        and not isinstance(body.get("message"), dict)
    ):
        assert sent["allowed_mentions"] == SILENT


@pytest.mark.parametrize("body", [b"", b"content=@everyone", b"\xff"])
def test_what_cannot_be_read_is_not_sent(body: bytes) -> None:
    """The error says nothing of what was in it."""
    with pytest.raises(Unsendable, match="not JSON"):
        OUTGOING.guarded(body)
