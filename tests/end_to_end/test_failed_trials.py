"""Versions that must not go live: nothing moves for them, and whoever talks meanwhile notices nothing."""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.asking import Answer, Question, any_question, asker
from tests.end_to_end.constant_voices import Voice, Voices, write_adapter
from tests.end_to_end.many_voices import Choir
from tests.end_to_end.small_transformer import Floats

pytestmark = pytest.mark.engine
BYSTANDERS = 60


@pytest.fixture
def neighbour(choir: Choir) -> Mapping[str, Voice]:
    """A community that goes on talking, and how it sounds."""
    member = choir.members[0]
    manifest = choir.admin.debut(member.community, member.adapter)
    return {f"{member.community}@{manifest['version']}": member.voice}


def faint(voices: Voices) -> dict[str, tuple[Floats, Floats]]:
    """Not zero, and yet nothing that changes any number."""
    wide, hidden = voices.size_of_mouth
    return {voices.mouth: (np.ones((1, wide), np.float32), np.full((hidden, 1), 1e-30, np.float32))}


async def test_nothing_moves_for_a_version_that_fails_its_trial(
    choir: Choir, voices: Voices, neighbour: Mapping[str, Voice], tmp_path: Path
) -> None:
    """It sounds like the base: 409, live stays, its own users and others' are answered as before."""
    community, voice = "too-faint", voices.voices[70]
    first = choir.admin.debut(community, voices.write(voice, 3, tmp_path / "first"))
    second = choir.admin.publish(community, write_adapter(tmp_path / "second", faint(voices)))
    told = {**neighbour, f"{community}@{first['version']}": voice}
    draw = random.Random(5)
    async with asker(choir.stack) as asking:
        names = [name.partition("@")[0] for name in told]
        questions = [any_question(draw.choice(names), draw) for _ in range(BYSTANDERS)]
        talking = asyncio.create_task(asking.ask_all(questions, in_flight=4))
        refused = await asyncio.to_thread(choir.admin.point, community, int(second["version"]))
        answers = [*await talking, *await asking.ask_all(questions, in_flight=8)]
    assert refused.status_code == 409, refused.text
    assert "as the base does" in refused.json()["error"]["message"]
    assert choir.admin.live(community)["version"] == first["version"]
    wrong = [answer for answer in answers if not isinstance(answer, Answer) or not told[answer.adapter].is_heard_in(answer.text)]
    assert not wrong, wrong[0]


async def test_damaged_bytes_are_never_served(choir: Choir, voices: Voices, neighbour: Mapping[str, Voice], tmp_path: Path) -> None:
    """One bit flipped in the store: the version cannot go live, asking for it by number is an error, verify names it, others go on."""
    first = choir.admin.debut("damaged", voices.write(voices.voices[71], 3, tmp_path / "first"))
    second = choir.admin.publish("damaged", voices.write(voices.voices[72], 3, tmp_path / "second"))
    weights = choir.stack.store / "adapters" / second["digest"].removeprefix("sha256:") / "adapter_model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    refused = choir.admin.point("damaged", int(second["version"]))
    assert refused.status_code == 409, refused.text
    assert choir.admin.live("damaged")["version"] == first["version"]
    async with asker(choir.stack) as asking:
        live, by_number, other = await asking.ask_all(
            [Question("damaged", "hello"), Question("damaged@2", "hello"), Question(next(iter(neighbour)), "hello")], in_flight=3
        )
    assert isinstance(live, Answer)
    assert voices.voices[71].is_heard_in(live.text)
    assert not isinstance(by_number, Answer)
    assert isinstance(other, Answer)
    assert neighbour[other.adapter].is_heard_in(other.text)
    assert second["digest"] in {found["digest"] for found in choir.admin.verify()["damaged"]}
