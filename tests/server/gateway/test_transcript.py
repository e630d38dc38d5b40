"""What a transcript keeps of a request: its words, within bounds."""

import json

import pytest

from loadtests.fake_answers import DONE, Answer, dumps, event
from server.gateway.relay import Telling
from server.gateway.sse import EventStream, Renamer
from server.gateway.transcript import MAX_CHARACTERS, MAX_HEARD_BYTES, Transcript

WORDS = ("Läuft", " bei", " dir", ' "quoted"', "\n", " 🙃")
ASKED = [{"role": "user", "content": "who wins?"}]


def answer(*, chat: bool, choices: int = 1) -> Answer:
    prompt = {"messages": ASKED} if chat else {"prompt": "who wins?"}
    return Answer.to({"model": "base", "n": choices, **prompt}, chat=chat, tokens=len(WORDS), vocabulary=WORDS)


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("choices", [1, 3])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_words_of_an_answer_are_kept_however_it_comes(chat: bool, choices: int, size: int) -> None:
    """Whole or streamed, cut anywhere, each choice by itself."""
    told = answer(chat=chat, choices=choices)
    pieces = [*told.opening(), *(chunk for position in range(len(told.tokens)) for chunk in told.chunks(position))]
    stream = b"".join(map(event, pieces)) + DONE
    for document in (stream, dumps(told.whole()).encode()):
        kept = Transcript(json.dumps({"prompt": "who wins?"}).encode())
        for start in range(0, len(document), size):
            kept.hear(document[start : start + size])
        assert kept.fields() == {"prompt": "who wins?", "answer": ["".join(WORDS)] * choices}


def test_overhearing_changes_nothing() -> None:
    """The caller gets the same bytes, and the counts are the same; a second attempt begins anew."""
    told = answer(chat=True)
    stream = b"".join(event(chunk) for position in range(len(WORDS)) for chunk in told.chunks(position)) + event(told.usage_chunk()) + DONE
    kept = Transcript(json.dumps({"messages": ASKED}).encode())
    renamer = Renamer("base", "zizou")
    listening = kept.listening(Telling(lambda: EventStream(renamer, include_usage=False), renamer.rename))
    for _ in range(2):
        plain, overheard = EventStream(renamer, include_usage=False), listening.events()
        assert plain.feed(stream) == overheard.feed(stream)
        assert (plain.done, plain.error, plain.usage, plain.tokens) == (
            overheard.done, overheard.error, overheard.usage, overheard.tokens,
        )  # fmt: skip
    assert kept.fields() == {"prompt": ASKED, "answer": ["".join(WORDS)]}
    assert listening.whole(dumps(told.whole()).encode()) == renamer.rename(dumps(told.whole()).encode())
    assert kept.fields() == {"prompt": ASKED, "answer": ["".join(WORDS)]}


def test_it_is_bounded() -> None:
    """An answer without end, and a prompt that is as long as may be."""
    kept = Transcript(json.dumps({"prompt": "x" * (1 << 20)}).encode())
    for _ in range(100):
        kept.hear(b"x" * (1 << 16))
    assert len(kept._heard) == MAX_HEARD_BYTES
    assert len(kept.fields()["prompt"]) == MAX_CHARACTERS + 2


@pytest.mark.parametrize("document", [b"", b"{", b"data: [DONE]", b"[]", b"5", b'{"error": {}}', b'{"choices": null}'])
def test_what_is_no_answer_has_no_words(document: bytes) -> None:
    """And breaks nothing."""
    kept = Transcript(b'{"prompt": [1, 2]}')
    kept.hear(document)
    assert kept.fields() == {"prompt": [1, 2], "answer": []}
