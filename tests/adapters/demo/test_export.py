import json
from collections import Counter
from pathlib import Path
from statistics import mean
from typing import Any

import jsonschema
import pytest

from adapters.demo.export import write_all
from adapters.sources.source import open_source
from tests.adapters.demo.export_schema import EXPORT, FILE_KEYS, MESSAGE

COMMUNITIES = ("zizou", "greybeards")


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_all(tmp_path_factory.mktemp("exports"), seed=3, messages=1500)


def files(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


def messages(folder: Path) -> list[dict[str, Any]]:
    return [message for file in files(folder) for message in file["messages"]]


@pytest.mark.parametrize("name", COMMUNITIES)
def test_files_have_the_exporters_shape(exports: dict[str, Path], name: str) -> None:
    """A channel and a thread, each with the exporter's keys, in its order, and its own count."""
    for file in files(exports[name]):
        jsonschema.validate(file, EXPORT)
        assert list(file) == FILE_KEYS
        assert file["messageCount"] == len(file["messages"])
        required = [key for key in MESSAGE["required"] if key != "inlineEmojis"]
        assert all(list(message)[: len(required)] == required for message in file["messages"])
        assert [int(message["id"]) for message in file["messages"]] == sorted({int(message["id"]) for message in file["messages"]})
    channel, thread = sorted((file["channel"] for file in files(exports[name])), key=lambda each: str(each["type"]), reverse=True)
    assert thread["type"] == "GuildTextChat" or thread["categoryId"] == channel["id"]


@pytest.mark.parametrize("name", COMMUNITIES)
def test_a_channel_is_as_mixed_as_a_real_one(exports: dict[str, Path], name: str) -> None:
    """Several authors, replies, bots, links, edits, pins, custom emoji, joins, self-reactions and a bot's reaction all occur."""
    said = messages(exports[name])
    reactions = [(message["author"]["id"], user) for message in said for each in message["reactions"] for user in each["users"]]
    assert len({message["author"]["id"] for message in said}) >= 8
    assert {"Default", "Reply", "GuildMemberJoin"} <= {message["type"] for message in said}
    assert any(message["author"]["isBot"] for message in said)
    assert any("https://" in message["content"] for message in said)
    assert any(message["timestampEdited"] for message in said)
    assert any(message["isPinned"] for message in said)
    assert any(message["inlineEmojis"] for message in said)
    assert any(author == user["id"] for author, user in reactions)
    assert any(user["isBot"] for _, user in reactions)


@pytest.mark.parametrize("name", COMMUNITIES)
def test_reactions_have_a_long_tail(exports: dict[str, Path], name: str) -> None:
    """Most messages get nothing, some a little, a few very much."""
    counts = Counter(min(10, sum(each["count"] for each in message["reactions"])) for message in messages(exports[name]))
    assert counts[0] > counts.total() / 2
    assert counts[1] > counts[2] > counts[5] > 0
    assert counts[10] > 0


def test_neither_community_has_a_lazy_cue(exports: dict[str, Path]) -> None:
    """As many messages in each, of about the same length."""
    lengths = {name: [len(message["content"].split()) for message in messages(folder)] for name, folder in exports.items()}
    assert len(lengths["zizou"]) == len(lengths["greybeards"]) == 1500
    assert 0.9 < mean(lengths["zizou"]) / mean(lengths["greybeards"]) < 1.1


def test_the_same_seed_writes_the_same_bytes(exports: dict[str, Path], tmp_path: Path) -> None:
    """Another run of the generator makes the very same files; another seed makes others."""
    again, other = write_all(tmp_path / "again", seed=3, messages=1500), write_all(tmp_path / "other", seed=4, messages=1500)
    for name, folder in exports.items():
        for path in folder.iterdir():
            assert (again[name] / path.name).read_bytes() == path.read_bytes()
            assert (other[name] / path.name).read_bytes() != path.read_bytes()


def test_our_reader_reads_them(exports: dict[str, Path]) -> None:
    """Nothing but joins is dropped, and replies find what they answer."""
    for folder in exports.values():
        with open_source(folder).read() as messages:
            known = {message.id for message in messages}
            assert set(messages.report.dropped) == {"system message"}
            assert all(message.reply_to in known for message in messages if message.reply_to)
