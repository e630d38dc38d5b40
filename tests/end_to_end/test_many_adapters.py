"""More adapters than slots, than places in host memory and than room in the cache of files, all asked at once: no answer is in a
foreign voice."""

import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.end_to_end.asking import Answer, NoAnswer, any_question, asker
from tests.end_to_end.constant_voices import speaker
from tests.end_to_end.many_voices import Choir, cache_bytes

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3000)]
IN_FLIGHT = 16


async def test_everybody_is_answered_in_their_own_voice(choir: Choir, soak: bool, record_property: Callable[[str, object], None]) -> None:
    """24 adapters on 8 slots, 200 requests (64 and 5,000 in the soak), one in ten of the base: each in its own voice, the base in none."""
    live = [choir.admin.debut(member.community, member.adapter) for member in choir.members]
    named = {"base": "base", **{manifest["community"]: f"{manifest['community']}@{manifest['version']}" for manifest in live}}
    words = {member.community: member.voice.word for member in choir.members}
    draw = random.Random(7)
    models = [draw.choice(list(words)) if draw.random() < 0.9 else "base" for _ in range(5000 if soak else 200)]
    began = time.monotonic()
    async with asker(choir.stack) as asking:
        answers = await asking.ask_all([any_question(model, draw) for model in models], in_flight=IN_FLIGHT)
    seconds = time.monotonic() - began
    failures = [answer for answer in answers if isinstance(answer, NoAnswer)]
    answered = [answer for answer in answers if isinstance(answer, Answer)]
    voices = [member.voice for member in choir.members]
    foreign = [answer for answer in answered if speaker(answer.text, voices) != words.get(answer.question.model)]
    misnamed = [answer for answer in answered if answer.adapter != named[answer.question.model]]
    asked = Counter(answer.question.model for answer in answered)
    record_property(
        "adapters, answers, in a foreign voice, failed, seconds", (len(live), len(answered), len(foreign), len(failures), round(seconds))
    )
    assert not failures, failures[0]
    assert not foreign
    assert not misnamed
    assert set(asked) == {*words, "base"}


def test_the_cache_of_files_stays_within_its_bytes(choir: Choir) -> None:
    """Whatever was asked: fewer adapters lie there than are published, in no more bytes than it may take."""
    for member in choir.members:
        choir.admin.debut(member.community, member.adapter)
    held = [path for path in choir.stack.cache.glob("*/*") if path.is_dir()]
    size = sum(file.stat().st_size for path in held for file in path.iterdir())
    assert 0 < len(held) < len(choir.members)
    assert size <= cache_bytes(choir.members)
