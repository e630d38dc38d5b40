"""An engine that is killed while people listen: nobody is left with half an answer that looks whole."""

import contextlib
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import openai
import pytest
from openai import OpenAI

from tests.end_to_end.family import engine_of
from tests.end_to_end.faults import Victim, find
from tests.end_to_end.stack import API_KEY, COMMUNITIES, Stack

pytestmark = pytest.mark.engine
STREAMS = 8


@dataclass(frozen=True)
class Heard:
    """How a stream ended, and how many pieces of text it had by then."""

    request_id: str
    ending: str
    pieces: int


def _listen(stack: Stack, number: int, begun: threading.Semaphore) -> Heard:
    """Follow one long stream to its end."""
    model = COMMUNITIES[number % len(COMMUNITIES)]
    never_stop = {str(token): -100 for token in stack.special_tokens()}
    with OpenAI(base_url=stack.v1, api_key=API_KEY, max_retries=0, timeout=60) as client:
        reasons: list[str | None] = []
        stream = client.completions.create(model=model, prompt="once", max_tokens=1500, stream=True, logit_bias=never_stop)
        try:
            for chunk in stream:
                if not reasons:
                    begun.release()
                reasons += [choice.finish_reason for choice in chunk.choices]
            ending = f"finished {reasons[-1]}" if reasons and reasons[-1] else "silent end"
        except openai.APIError as exc:
            ending = f"error {exc.code}"
        return Heard(stream.response.headers["x-request-id"], ending, len(reasons))


def _charged(stack: Stack) -> dict[str, tuple[str | None, int]]:
    """Request id → outcome and tokens of the answer, as the ledger has them now."""
    with contextlib.closing(sqlite3.connect(f"file:{stack.home}/accounts/accounts.db?mode=ro", uri=True)) as ledger:
        return {name: (outcome, tokens) for name, outcome, tokens in ledger.execute("SELECT id, outcome, completion_tokens FROM requests")}


@pytest.mark.parametrize("victim", [Victim.API_SERVER, Victim.ENGINE_CORE, Victim.WORKER, Victim.STANDBY])
def test_killing_the_engine_tells_every_listener(stack: Stack, victim: Victim, record_property: Callable[[str, object], None]) -> None:
    """Each of eight streams ends in an error within moments and is charged with what it had, and the engine comes back by itself,
    whichever of its processes it was."""
    stack.wait_until_ready(60)
    with ThreadPoolExecutor(STREAMS) as pool:
        begun = threading.Semaphore(0)
        endings = [pool.submit(_listen, stack, number, begun) for number in range(STREAMS)]
        assert all(begun.acquire(timeout=30) for _ in range(STREAMS)), "the streams did not all begin"
        pid = find(victim, stack)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        heard = [ending.result(timeout=30) for ending in endings]
        told_after = time.monotonic() - killed
    record_property(f"{victim.value} killed: seconds until the last of {STREAMS} listeners was told", round(told_after, 2))
    assert {each.ending for each in heard} <= {"error engine_unavailable", "error engine_error"}
    assert told_after < 10  # a second, as measured; this machine may be busy
    with OpenAI(base_url=stack.v1, api_key=API_KEY, max_retries=0, timeout=120) as client:
        answer = client.completions.create(model=COMMUNITIES[0], prompt="and now?", max_tokens=2)
    assert answer.choices[0].finish_reason
    assert pid not in engine_of(stack)
    charged = _charged(stack)
    for each in heard:
        outcome, tokens = charged[each.request_id]
        assert outcome == "aborted"
        assert tokens >= each.pieces > 0  # a piece may be of more than one token
