"""What a key of the scope `evaluate` may ask of /v1/completions, what a chat key hears of it, and where it ends for both."""

from typing import Any

import httpx
import pytest

from server.gateway.apis.evaluation import MAX_BATCH_TOKENS, MAX_LOG_PROBABILITIES, MAX_PROMPTS, check_work
from server.gateway.errors import InvalidRequest
from tests.server.gateway.stage import ADMIN_KEY, CONTEXT, EVALUATE_KEY, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
HARNESS_SCORES = {"prompt": [[5, 6, 7]], "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True}
"""As `local-completions` of lm-evaluation-harness asks for a log-likelihood."""
HARNESS_GENERATES = {"prompt": [[5, 6, 7]], "max_tokens": 8, "temperature": 0, "stop": ["\n", "<|im_end|>"], "seed": 1234}
RESERVED: list[tuple[str, dict[str, Any]]] = [
    ("echo", {"echo": True}),
    ("prompt_logprobs", {"prompt_logprobs": 0}),
    ("prompt_logprobs", {"prompt_logprobs": "all"}),
    ("logprobs", {"logprobs": 6}),
    ("logprobs", {"logprobs": 20}),
    ("prompt", {"prompt": [[1, 2]]}),
    ("prompt", {"prompt": [[1, 2], [3]]}),
    ("prompt", {"prompt": ["a", "b"]}),
]


async def ask(stage: Stage, body: dict[str, Any], *, key: str = EVALUATE_KEY, path: str = TEXT) -> httpx.Response:
    response = await stage.http.post(path, json={"model": "zizou", **body}, headers={"authorization": f"Bearer {key}"})
    assert not [name for name in stage.hidden if name in response.text or name in str(response.headers)]
    return response


@pytest.mark.parametrize("asked", [HARNESS_SCORES, HARNESS_GENERATES], ids=["loglikelihood", "generate_until"])
@pytest.mark.parametrize("model", ["base", "zizou", "zizou@1"])
async def test_what_the_harness_sends_reaches_the_engine_as_it_is(stage: Stage, asked: dict[str, Any], model: str) -> None:
    """Every parameter, with the model's engine name and a salt of the community's own."""
    response = await ask(stage, {**asked, "model": model})
    assert response.status_code == 200
    assert response.json()["model"] == model
    body = stage.fake.received[0].body
    assert body.items() >= {**asked, "prompt": asked["prompt"][0]}.items()
    assert len(body["cache_salt"]) == 64
    assert body["model"] == "base" if model == "base" else body["model"].startswith("zizou-")


async def test_prompts_of_one_request_stay_in_their_order(stage: Stage) -> None:
    """Token ids or texts, and several are a list to the engine too."""
    for prompts in ([[1, 2], [3], [4, 5, 6]], ["who wins", "tonight?"]):
        stage.fake.received.clear()
        assert (await ask(stage, {"prompt": prompts, "prompt_logprobs": 5, "max_tokens": 1})).status_code == 200
        assert stage.fake.received[0].body["prompt"] == prompts
        assert stage.fake.received[0].body["prompt_logprobs"] == 5


async def test_a_prompt_alone_may_be_scored_without_an_answer(stage: Stage) -> None:
    """`max_tokens: 0` goes with echo, and with nothing else."""
    assert (await ask(stage, {"prompt": [5, 6], "echo": True, "logprobs": 20, "max_tokens": 0})).status_code == 200
    assert stage.fake.received[0].body["max_tokens"] == 0
    refusal = await ask(stage, {"prompt": [5, 6], "prompt_logprobs": 1, "max_tokens": 0})
    assert (refusal.status_code, refusal.json()["error"]["param"]) == (400, "max_tokens")


@pytest.mark.parametrize(("param", "asked"), RESERVED, ids=lambda value: str(value) if isinstance(value, dict) else "")
async def test_a_chat_key_is_told_which_parameter_needs_which_scope(stage: Stage, param: str, asked: dict[str, Any]) -> None:
    """403, in OpenAI's shape, before the engine hears of it; what asks for nothing is no reason."""
    refusal = await stage.http.post(TEXT, json={"model": "zizou", "prompt": "hi", **asked})
    error = refusal.json()["error"]
    assert (refusal.status_code, error["code"], error["param"]) == (403, "insufficient_permissions", param)
    assert "scope evaluate" in error["message"]
    assert stage.fake.received == []
    harmless = {"echo": False, "prompt_logprobs": None, "logprobs": 5, "prompt": ["hi"]}
    assert (await stage.http.post(TEXT, json={"model": "zizou", **harmless})).status_code == 200


@pytest.mark.parametrize(("param", "asked"), RESERVED, ids=lambda value: str(value) if isinstance(value, dict) else "")
async def test_chats_hear_of_no_evaluation(stage: Stage, param: str, asked: dict[str, Any]) -> None:
    """The scope opens /v1/completions only: the other endpoint is as strict as ever, and otherwise open."""
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert (await ask(stage, {**body, **asked}, path=CHAT)).status_code == 400
    assert stage.fake.received == []
    assert (await ask(stage, body, path=CHAT)).status_code == 200


async def test_an_admin_key_evaluates_nothing(stage: Stage) -> None:
    """Nor does an evaluate key open /admin."""
    assert (await ask(stage, HARNESS_SCORES, key=ADMIN_KEY)).status_code == 403
    response = await stage.http.get("/admin/v1/status", headers={"authorization": f"Bearer {EVALUATE_KEY}"})
    assert response.status_code == 403
    assert stage.fake.received == []


@pytest.mark.parametrize(
    ("param", "asked"),
    [
        ("logprobs", {"logprobs": 21}),
        ("logprobs", {"logprobs": -1}),
        ("prompt_logprobs", {"prompt_logprobs": 21}),
        ("prompt_logprobs", {"prompt_logprobs": -1}),
        ("prompt_logprobs", {"prompt_logprobs": True}),
        ("prompt_logprobs", {"prompt_logprobs": 1.0}),
        ("echo", {"echo": "yes"}),
        ("echo", {"echo": 1}),
        ("max_tokens", {"max_tokens": 0}),
        ("max_tokens", {"max_tokens": -1, "echo": True}),
        ("stop", {"stop": ["x"] * 17}),
        ("stream", {"stream": True, "echo": True}),
        ("stream", {"stream": True, "prompt_logprobs": 1}),
        ("stream", {"stream": True, "prompt": ["a", "b"]}),
        ("n", {"n": 2, "echo": True}),
        ("n", {"n": 2, "prompt_logprobs": 0}),
        ("n", {"n": 2, "prompt": [[1], [2]]}),
        ("prompt", {"prompt": [[1]] * (MAX_PROMPTS + 1)}),
        ("prompt", {"prompt": [[1], []]}),
        ("prompt", {"prompt": [[1], [512]]}),
        ("prompt", {"prompt": [[1], [True]]}),
        ("prompt", {"prompt": [[1], "a"]}),
        ("prompt", {"prompt": [[[1]]]}),
        ("prompt", {"prompt": ["a", ""]}),
        ("prompt", {"prompt": [[1] * (CONTEXT + 1)]}),
        ("prompt", {"prompt": [[1], [1] * CONTEXT], "max_tokens": 1}),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)  # fmt: skip
async def test_an_evaluation_has_its_ranges_too(stage: Stage, param: str, asked: dict[str, Any]) -> None:
    """What is wrong is named, and the engine hears nothing."""
    refusal = await ask(stage, {"prompt": "hi", **asked})
    assert (refusal.status_code, refusal.json()["error"]["param"]) == (400, param)
    assert stage.fake.received == []


async def test_a_request_that_costs_too_much_is_refused_before_the_engine(stage: Stage) -> None:
    """With the limit in the sentence; a smaller one of the same kind passes."""
    full: dict[str, Any] = {"prompt": [[7] * (CONTEXT - 1)] * MAX_PROMPTS, "max_tokens": 1}
    refusal = await ask(stage, {**full, "prompt_logprobs": 20})
    assert (refusal.status_code, refusal.json()["error"]["param"]) == (400, "prompt_logprobs")
    assert str(MAX_LOG_PROBABILITIES) in refusal.json()["error"]["message"]
    assert stage.fake.received == []
    assert (await ask(stage, {**full, "prompt_logprobs": 10})).status_code == 200


@pytest.mark.parametrize(
    "name", ["return_token_ids", "prompt_embeds", "cache_salt", "truncate_prompt_tokens", "use_beam_search", "priority"]
)
async def test_the_scope_opens_no_other_parameter(stage: Stage, name: str) -> None:
    """The list is longer by what the harness needs, and not by more."""
    refusal = await ask(stage, {**HARNESS_SCORES, name: True})
    assert (refusal.status_code, refusal.json()["error"]["param"]) == (400, name)


@pytest.mark.parametrize(
    ("sampling", "lengths", "answer", "param"),
    [
        ({"prompt_logprobs": 20}, [MAX_LOG_PROBABILITIES // 21 + 1], 1, "prompt_logprobs"),
        ({"prompt_logprobs": 1}, [1000] * 101, 1, "prompt_logprobs"),
        ({"echo": True, "logprobs": 1}, [1000] * 101, 1, "logprobs"),
        ({"echo": True, "logprobs": 20, "prompt_logprobs": 0}, [MAX_LOG_PROBABILITIES // 21 + 1], 1, "prompt_logprobs"),
        ({}, [8, 8], MAX_BATCH_TOKENS // 2, "prompt"),
    ],
)
async def test_one_request_costs_so_much_and_no_more(sampling: dict[str, Any], lengths: list[int], answer: int, param: str) -> None:
    """The sentence says how much was asked for, the limit, and a way below it."""
    with pytest.raises(InvalidRequest, match="one request may") as refused:
        check_work(sampling, lengths, answer)
    assert refused.value.param == param
    assert "fewer" in str(refused.value)
    assert "lower" in str(refused.value)


@pytest.mark.parametrize(
    ("sampling", "lengths", "answer"),
    [
        ({"prompt_logprobs": 20}, [8192], 1),
        ({"echo": True, "logprobs": 1}, [2047] * 32, 1),
        ({}, [1 << 20], 1 << 20),
        ({"logprobs": 20}, [2000] * 128, 1),
    ],
    ids=["a whole context", "the harness at batch size 32", "one long chat", "answers only"],
)
async def test_what_the_limits_leave_room_for(sampling: dict[str, Any], lengths: list[int], answer: int) -> None:
    """A whole context with all 20, and the harness's usual batches; one prompt is bounded by the context alone."""
    check_work(sampling, lengths, answer)
