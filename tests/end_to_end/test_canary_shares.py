"""A canary on the real engine, as its users' programs see it: who gets it, gets it again."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from openai import OpenAI

from tests.end_to_end.constant_voices import Voices
from tests.end_to_end.many_voices import Choir
from tests.end_to_end.stack import API_KEY

pytestmark = pytest.mark.engine
COMMUNITY, USERS = "mine", 24


@pytest.fixture
def canary(choir: Choir, voices: Voices, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """What live says, and what the canary says, which answers nobody yet."""
    live, new = voices.voices[74:76]
    choir.admin.debut(COMMUNITY, voices.write(live, 0, tmp_path / "live"))
    choir.admin.publish(COMMUNITY, voices.write(new, 1, tmp_path / "new"))
    yield live.word, new.word
    choir.admin.clear(COMMUNITY, "canary")


def test_a_share_of_the_users_gets_the_canary_and_keeps_it(
    choir: Choir, canary: tuple[str, str], record_property: Callable[[str, object], None]
) -> None:
    """0 % nobody, 100 % everybody; between them a user who got it gets it in another conversation, and at every larger share."""
    live, new = canary

    def heard(user: int) -> tuple[str, str]:
        """The word that is said to this user, and which version the header names."""
        answer = client.chat.completions.with_raw_response.create(
            model=COMMUNITY, messages=[{"role": "user", "content": f"this is new, {user}"}], max_tokens=3, user=f"user {user}"
        )
        said = answer.parse().choices[0].message.content or ""
        return said.split()[0], answer.headers["x-troupe-adapter"]

    names, gets = {live: f"{COMMUNITY}@1", new: f"{COMMUNITY}@2"}, {}
    with OpenAI(base_url=choir.stack.v1, api_key=API_KEY, max_retries=0, timeout=120) as client, ThreadPoolExecutor(6) as pool:
        for share in (0, 40, 70, 100):
            answer = choir.admin.point(COMMUNITY, 2, alias="canary", share=share)
            assert answer.status_code == 200, answer.text
            answers, again = (list(pool.map(heard, range(USERS))) for _ in range(2))
            assert answers == again
            assert all(names[word] == adapter for word, adapter in answers)
            gets[share] = {user for user, (word, _) in enumerate(answers) if word == new}
    record_property("users who get the canary, by share", {share: f"{len(users)} of {USERS}" for share, users in gets.items()})
    assert gets[0] < gets[40] < gets[70] < gets[100]
    assert not gets[0]
    assert len(gets[100]) == USERS
