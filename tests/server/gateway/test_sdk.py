"""What a user of the openai SDK meets."""

import asyncio

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionStreamOptionsParam

from loadtests.fake_engine import Fault
from server.fleet.engine import EngineState
from tests.server.gateway.stage import ADMIN_KEY, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "who wins tonight?"}]
ANSWER = 'Läuft bei dir? 🙃 "quoted"\n ok'


async def test_models_are_the_base_and_each_community_that_is_live_on_it(stage: Stage) -> None:
    """Not one without a live adapter, and not one whose adapters were made for another base."""
    models = [model async for model in stage.sdk.models.list()]
    assert [model.id for model in models] == ["base", "greybeards", "zizou"]
    assert {model.owned_by for model in models} == {"troupe", "greybeards", "zizou"}


@pytest.mark.parametrize("name", ["base", "zizou", "zizou@canary", "zizou@2", "unborn@1"])
async def test_a_model_can_be_looked_up_by_each_of_its_names(stage: Stage, name: str) -> None:
    """Also one that is not live yet."""
    assert (await stage.sdk.models.retrieve(name)).id == name


@pytest.mark.parametrize("name", ["zizou", "zizou@canary", "zizou@1", "base"])
async def test_a_chat_is_answered_under_the_name_that_was_asked(stage: Stage, name: str) -> None:
    """The engine was told its own name for it."""
    answer = await stage.sdk.chat.completions.create(model=name, messages=ASK)
    assert (answer.model, answer.choices[0].message.content, answer.choices[0].finish_reason) == (name, ANSWER, "stop")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8
    (received,) = stage.fake.received
    assert received.body["model"] in ("base", *stage.hidden)
    assert received.body["stream"] is False


async def test_a_chat_can_be_streamed(stage: Stage) -> None:
    """Text and finish reason arrive, the name is the caller's, and usage is not there unasked."""
    stream = await stage.sdk.chat.completions.create(model="zizou", messages=ASK, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert {chunk.model for chunk in chunks} == {"zizou"}
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


async def test_usage_of_a_stream_comes_last_for_who_asks(stage: Stage) -> None:
    """One more chunk, without choices."""
    options: ChatCompletionStreamOptionsParam = {"include_usage": True}
    stream = await stage.sdk.chat.completions.create(model="zizou", messages=ASK, stream=True, stream_options=options)
    chunks = [chunk async for chunk in stream]
    assert chunks[-1].usage is not None
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 8)
    assert all(chunk.usage is None for chunk in chunks[:-1])


@pytest.mark.parametrize("asked", [None, False, True])
async def test_the_engine_is_always_asked_for_usage(stage: Stage, asked: bool | None) -> None:
    """The gateway counts, whether the caller wants to or not."""
    before = await stage.metric('troupe_tokens_total{kind="completion"}')
    options: ChatCompletionStreamOptionsParam | None = None if asked is None else {"include_usage": asked}
    stream = await stage.sdk.chat.completions.create(model="zizou", messages=ASK, stream=True, stream_options=options)
    assert len([chunk async for chunk in stream]) == (10 if asked else 9)
    assert stage.fake.received[0].body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    assert await stage.metric('troupe_tokens_total{kind="completion"}') - before == 8


async def test_completions_stream_or_not(stage: Stage) -> None:
    """A text goes on; so does a list of token ids."""
    whole = await stage.sdk.completions.create(model="greybeards", prompt="who wins", max_tokens=2)
    assert (whole.model, whole.choices[0].text, whole.choices[0].finish_reason) == ("greybeards", "Läuft bei", "length")
    chunks = [chunk async for chunk in await stage.sdk.completions.create(model="greybeards", prompt=[5, 6, 7], stream=True)]
    assert "".join(chunk.choices[0].text for chunk in chunks) == ANSWER
    assert [received.body["prompt"] for received in stage.fake.received] == ["who wins", [5, 6, 7]]


async def test_several_choices_keep_their_indices(stage: Stage) -> None:
    """Both of the endpoints' shapes."""
    whole = await stage.sdk.chat.completions.create(model="zizou", messages=ASK, n=3)
    assert [choice.index for choice in whole.choices] == [0, 1, 2]


@pytest.mark.parametrize("key", ["wrong", "tr_chat_key2", "' OR pg_sleep(8)--"])
async def test_a_wrong_key_is_an_authentication_error(stage: Stage, key: str) -> None:
    """Whatever it is; the SDK does not try again."""
    with pytest.raises(openai.AuthenticationError) as caught:
        await stage.sdk_with(key).chat.completions.create(model="zizou", messages=ASK)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert stage.fake.received == []


async def test_the_admin_key_cannot_chat_nor_the_chat_key_administrate(stage: Stage) -> None:
    """No scope contains the other."""
    with pytest.raises(openai.PermissionDeniedError):
        await stage.sdk_with(ADMIN_KEY).chat.completions.create(model="zizou", messages=ASK)
    with pytest.raises(openai.PermissionDeniedError):
        await stage.sdk_with(ADMIN_KEY).models.list()
    assert (await stage.http.get("/admin/v1/status")).status_code == 403
    status = await stage.http.get("/admin/v1/status", headers={"authorization": f"Bearer {ADMIN_KEY}"})
    said = status.json()
    assert said["engine"].pop("idle_seconds") is not None
    assert said["ledger"].pop("unsettled") >= 0
    assert said == {
        "engine": {
            "state": "ready", "failure": None, "mode": "standby", "waiting": 0, "in_flight": 0,
            "wakes": 1, "failed_wakes": 0, "last_wake_seconds": 0.0,
        },
        "registry": {"revision": stage.memory.held.revision, "failure": None},
        "keys": {"failure": None},
        "ledger": {"failure": None},
        "base": "small",
        "models": ["base", "greybeards", "zizou"],
    }  # fmt: skip
    assert stage.fake.received == []


@pytest.mark.parametrize("name", ["nobody", "unborn", "strangers", "strangers@1", "zizou@9", "zizou@none", "BASE"])
async def test_a_model_that_is_not_there_is_not_found(stage: Stage, name: str) -> None:
    """Always in the same words: nobody learns which names exist elsewhere."""
    with pytest.raises(openai.NotFoundError) as caught:
        await stage.sdk.chat.completions.create(model=name, messages=ASK)
    error = caught.value
    assert (error.code, error.param) == ("model_not_found", "model")
    assert error.body["message"] == f"The model {name!r} does not exist or you do not have access to it."  # type: ignore[index]
    with pytest.raises(openai.NotFoundError):
        await stage.sdk.models.retrieve(name)
    assert stage.fake.received == []


async def test_what_is_wrong_in_a_request_is_a_bad_request_error(stage: Stage) -> None:
    """With the parameter's name."""
    with pytest.raises(openai.BadRequestError) as caught:
        await stage.sdk.chat.completions.create(model="zizou", messages=ASK, temperature=9)
    assert (caught.value.param, caught.value.code) == ("temperature", "invalid_value")
    assert caught.value.request_id is not None
    assert caught.value.request_id.startswith("req_")


@pytest.mark.parametrize("fault", [Fault.DIE, Fault.END_EARLY, Fault.ERROR_EVENT])
async def test_an_engine_that_fails_in_a_stream_is_an_error_and_no_end(stage: Stage, fault: Fault) -> None:
    """After the tokens that came; the SDK would take a silent end for a complete answer."""
    stage.fault(fault=fault)
    stream = await stage.sdk.chat.completions.create(model="zizou", messages=ASK, stream=True)
    texts = []
    with pytest.raises(openai.APIError) as caught:  # noqa: PT012
        async for chunk in stream:
            texts.append(chunk.choices[0].delta.content)  # noqa: PERF401 (a comprehension would be lost with the error)
    assert texts == ["", "Läuft", " bei", " dir"]
    assert caught.value.code in ("engine_unavailable", "engine_error")


async def test_an_unknown_model_is_not_found_also_while_the_engine_sleeps(stage: Stage) -> None:
    """What is wrong with a request does not depend on the hour, and wakes nobody."""
    await stage.sleep()
    with pytest.raises(openai.NotFoundError):
        await stage.sdk.chat.completions.create(model="nobody", messages=ASK)
    with pytest.raises(openai.BadRequestError):
        await stage.sdk.chat.completions.create(model="zizou", messages=ASK, temperature=9)
    assert stage.fleet.state is EngineState.ASLEEP


async def test_each_tenant_has_a_cache_salt_of_its_own(stage: Stage) -> None:
    """The same for all of a community's versions, another for each other, and never a name."""
    for name in ("zizou", "zizou@2", "greybeards", "base"):
        await stage.sdk.chat.completions.create(model=name, messages=ASK)
    salts = [received.body["cache_salt"] for received in stage.fake.received]
    assert salts[0] == salts[1]
    assert len(set(salts)) == 3
    assert all(len(salt) == 64 and int(salt, 16) for salt in salts)


async def test_many_callers_at_once_get_their_own_answers(stage: Stage) -> None:
    """Interleaved, streamed or not, none under another's name."""
    stage.fault(inter_token=0.002)

    async def ask(index: int) -> tuple[str, str]:
        name = ("zizou", "greybeards", "base", "zizou@2")[index % 4]
        if index % 2:
            return name, (await stage.sdk.chat.completions.create(model=name, messages=ASK)).model
        stream = await stage.sdk.chat.completions.create(model=name, messages=ASK, stream=True)
        (answered,) = {chunk.model async for chunk in stream}
        return name, answered

    pairs = await asyncio.gather(*map(ask, range(40)))
    assert all(asked == answered for asked, answered in pairs)
