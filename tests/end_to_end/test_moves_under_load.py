"""A community's adapter is exchanged again and again while people talk: nobody gets an error, and every answer is in the voice of the
version that its header names."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median

import httpx
import pytest

from tests.end_to_end.asking import Answer, Asker, NoAnswer, Question, any_question, asker
from tests.end_to_end.constant_voices import Voice, Voices
from tests.end_to_end.many_voices import Choir

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3000)]
COMMUNITY, IN_FLIGHT = "turncoats", 6


@pytest.fixture
def versions(choir: Choir, voices: Voices, tmp_path: Path) -> Mapping[str, Voice]:
    """Two published versions, the first one live: what the header calls them, and how each sounds."""
    two = {}
    for number, voice in enumerate(voices.voices[-2:]):
        manifest = choir.admin.publish(COMMUNITY, voices.write(voice, number, tmp_path / voice.word))
        two[f"{COMMUNITY}@{manifest['version']}"] = voice
    choir.admin.promote(COMMUNITY, 1)
    return two


class Crowd:
    """Asks `COMMUNITY` all the time, `IN_FLIGHT` at once, until told to stop."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._stopping = False
        self.answers: list[Answer] = []
        self.failures: list[NoAnswer] = []

    async def talk(self, draw: random.Random) -> None:
        while not self._stopping:
            try:
                self.answers.append(await self._asker.ask(any_question(COMMUNITY, draw)))
            except NoAnswer as failure:
                self.failures.append(failure)

    def stop(self) -> None:
        self._stopping = True


async def test_versions_change_while_people_talk(
    choir: Choir, versions: Mapping[str, Voice], soak: bool, record_property: Callable[[str, object], None]
) -> None:
    """Promote and rollback in turn (10 times; 200 in the soak): no request fails, each answer is in the voice of the version that its
    header names, and the first one after a move is the new version's."""
    cycles, seconds = 200 if soak else 10, []
    async with asker(choir.stack) as asking, asyncio.TaskGroup() as group:
        crowd = Crowd(asking)
        for seed in range(IN_FLIGHT):
            group.create_task(crowd.talk(random.Random(seed)))
        try:
            for move, version in _moves(choir, cycles):
                began = time.monotonic()
                answer = await asyncio.to_thread(move)
                seconds.append(time.monotonic() - began)
                assert answer.status_code == 200, answer.text
                assert answer.json()["version"] == version
                first = await asking.ask(Question(COMMUNITY, "who are you now?", max_tokens=1))
                assert first.adapter == f"{COMMUNITY}@{version}"
        finally:
            crowd.stop()
    foreign = [answer for answer in crowd.answers if not versions[answer.adapter].is_heard_in(answer.text)]
    heard = Counter(answer.adapter for answer in crowd.answers)
    record_property("moves under load: cycles, answers", (cycles, dict(heard)))
    record_property("moves under load: seconds of a move with its trial, p50 and max", (round(median(seconds), 3), round(max(seconds), 3)))
    assert not crowd.failures
    assert not foreign
    assert set(heard) == set(versions)


def _moves(choir: Choir, cycles: int) -> Iterator[tuple[Callable[[], httpx.Response], int]]:
    """What to do, and which version is live after it."""
    for _ in range(cycles):
        yield lambda: choir.admin.point(COMMUNITY, 2), 2
        yield lambda: choir.admin.rollback(COMMUNITY), 1
