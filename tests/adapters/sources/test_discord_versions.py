"""One test for every note in the exporter's history of its JSON: what the version before lacks, and what the version after says."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.sources.message import Message, Reaction
from tests.adapters.sources.exports import CHANNEL, document, message, read, reply, user, write


def one(path: Path, raw: dict[str, Any], **changes: Any) -> Message:
    messages, _ = read(write(path / "export.json", raw, **changes))
    (only,) = messages.values()
    return only


def test_2_18_the_first_json(tmp_path: Path) -> None:
    """The keys of the first version are enough: no nickname, no mentions, no reference, no time of the export."""
    raw = {
        "id": "1",
        "type": "Default",
        "timestamp": "2020-02-01T10:00:00+00:00",
        "timestampEdited": None,
        "isPinned": False,
        "content": "hello",
        "author": {"id": "7", "name": "ann", "discriminator": "1234", "isBot": False, "avatarUrl": ""},
        "attachments": [],
        "embeds": [],
        "reactions": [{"emoji": {"id": "", "name": "😂", "isAnimated": False, "imageUrl": ""}, "count": 2}],
    }
    channel = {"id": "5", "type": "GuildTextChat", "category": "Text", "name": "room", "topic": None}
    assert one(tmp_path, raw, channel=channel, exported_at=None) == Message(
        1, "5", "7", "ann", "hello", datetime(2020, 2, 1, 10, tzinfo=UTC), reactions=(Reaction(2),)
    )


def test_2_25_mentions(tmp_path: Path) -> None:
    """Whom a message names is known from then on, with the name that stands in the text."""
    said = one(tmp_path, message(1, content="hi @Bo", mentions=[user(8, "Bo")]))
    assert [(each.author_id, each.name) for each in said.mentions] == [("8", "Bo")]


def test_2_26_replies(tmp_path: Path) -> None:
    """Before it a reply has a kind without a name, and nothing to say what it answers; from then on both."""
    messages, _ = read(write(tmp_path / "a.json", message(1), message(2, type="19"), reply(3, to=1)))
    assert {each.id: each.reply_to for each in messages.values()} == {1: None, 2: None, 3: 1}


def test_2_27_colours_and_category_ids(tmp_path: Path) -> None:
    """`categoryId` of a channel is its category, and no parent."""
    assert one(tmp_path, message(1, author=user(7, "Ann", color="#3498DB"))).parent is None


def test_2_33_stickers(tmp_path: Path) -> None:
    """A message that is only a sticker has no text; that is not the same as text that was withheld."""
    sticker = message(1, content="", stickers=[{"id": "3", "name": "wave", "format": "Png", "sourceUrl": ""}])
    _, report = read(write(tmp_path / "a.json", sticker, message(2)))
    assert report.dropped == {"no text": 1}


def test_2_38_emoji_codes_interactions_and_no_markdown(tmp_path: Path) -> None:
    """Text without markdown has raw tokens; an answer to a slash command that has a kind of its own is left out."""
    raw = message(1, content="<@!8> look <:kappa:99> <a:dance:98> <#5>", mentions=[user(8, "Bo")])
    command = message(2, type="20", interaction={"id": "4", "name": "roll", "user": user(8)}, author=user(9, isBot=True))
    messages, report = read(write(tmp_path / "a.json", raw, command))
    assert messages[1].text == "<@8> look :kappa: :dance: <#5>"
    assert report.dropped == {"system message": 1}


def test_2_40_new_user_names(tmp_path: Path) -> None:
    """Names are no longer unique: people are told apart by id, and shown by nickname, then name."""
    same = [message(number, author=user(author, "Ann")) for number, author in ((1, 7), (2, 8))]
    unnamed = message(3, author={"id": "9", "name": "cy", "discriminator": "0000"})
    messages, report = read(write(tmp_path / "a.json", *same, unnamed))
    assert [each.author for each in messages.values()] == ["Ann", "Ann", "cy"]
    assert report.authors == 3


def test_2_40_1_exported_at_and_parents(tmp_path: Path) -> None:
    """A file that says when it was made is later than one that does not; a thread says which channel it belongs to."""
    write(tmp_path / "a.json", message(1, content="new"), exported_at="2023-01-01T00:00:00+00:00")
    write(tmp_path / "b.json", message(1, content="old"), exported_at=None)
    write(tmp_path / "c.json", message(2), channel=CHANNEL | {"id": "6", "type": "GuildPublicThread", "categoryId": "5"})
    messages, _ = read(tmp_path)
    assert messages[1].text == "new"
    assert (messages[1].parent, messages[2].parent) == (None, "5")


def test_2_40_4_reacting_users(tmp_path: Path) -> None:
    """Who reacted is known from then on, bots apart."""
    users = [user(8), user(9, isBot=True)]
    said = one(tmp_path, message(1, reactions=[{"emoji": {}, "count": 3, "users": users}]))
    assert said.reactions == (Reaction(3, frozenset({"8"}), frozenset({"9"})),)


@pytest.mark.parametrize(
    "timestamp",
    ["2026-01-02T03:04:05.123+00:00", "2026-01-02T05:04:05.123+02:00", "2026-01-01T22:04:05.1230000-05:00", "2026-01-02T03:04:05.123Z"],
)
def test_2_41_local_times(tmp_path: Path, timestamp: str) -> None:
    """Times come in the exporter's zone or in UTC, with up to seven digits: the moment is the same."""
    assert one(tmp_path, message(1, timestamp=timestamp)).at == datetime(2026, 1, 2, 3, 4, 5, 123000, tzinfo=UTC)


def test_2_42_3_embed_videos(tmp_path: Path) -> None:
    """A message that is only an embed, with whatever in it, has no text."""
    embed = message(1, content="", embeds=[{"title": "", "url": None, "video": {"url": "v", "width": 1, "height": 1}}])
    _, report = read(write(tmp_path / "a.json", embed, message(2)))
    assert report.dropped == {"no text": 1}


def test_2_44_inline_emojis(tmp_path: Path) -> None:
    """The list of emoji beside a text changes nothing in it."""
    assert one(tmp_path, message(1, content=":kappa: yes", inlineEmojis=[{"id": "9", "name": "kappa"}])).text == ":kappa: yes"


def test_2_46_1_canonical_urls(tmp_path: Path) -> None:
    """New keys in embeds are no reason to lose a text."""
    assert one(tmp_path, message(1, embeds=[{"image": {"url": "a", "canonicalUrl": "b", "width": None, "height": None}}])).text == "text 1"


def test_2_47_forwards_and_newest_first(tmp_path: Path) -> None:
    """A forward answers nobody and has no text of its own; a file written newest first gives the same messages as any other."""
    forward = message(3, content="", reference={"type": "Forward", "messageId": "1"}, forwardedMessage={"content": "text 1"})
    commented = message(2, content="look", reference={"type": "Forward", "messageId": "1"})
    messages, report = read(write(tmp_path / "a.json", forward, commented, message(1)))
    assert [(each.id, each.reply_to) for each in messages.values()] == [(1, None), (2, None)]
    assert report.dropped == {"no text": 1}


def test_a_version_to_come(tmp_path: Path) -> None:
    """Unknown keys, in any place, are passed over."""
    export = document(message(1, future={"deep": [1, {"er": None}]}))
    path = tmp_path / "a.json"
    write(path, message(1, future={"deep": [1]}), channel=CHANNEL | {"future": [export]})
    assert list(read(path)[0]) == [1]
