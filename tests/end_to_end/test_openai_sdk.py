"""Through the official SDK, against the real gateway and real vLLM: what a user's own program sees."""

from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.end_to_end.stack import ADMIN_KEY, API_KEY, COMMUNITIES, Stack

pytestmark = pytest.mark.engine
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "who is going to win tonight?"}]


@pytest.fixture
def client(stack: Stack) -> Iterator[OpenAI]:
    with OpenAI(base_url=stack.v1, api_key=API_KEY, max_retries=0, timeout=60) as opened:
        yield opened


def test_models_are_the_base_and_the_communities(client: OpenAI) -> None:
    """With what a chat key may know: no path, no digest, no engine name."""
    models = client.models.list().data
    assert {model.id for model in models} == {"base", *COMMUNITIES}
    assert client.models.retrieve("zizou").id == "zizou"
    openai_s, ours = {"id", "object", "created", "owned_by"}, {"adapter", "published_at", "renderer", "canary", "learnt"}
    assert all(set(model.to_dict()) == (openai_s if model.id == "base" else openai_s | ours) for model in models)


@pytest.mark.parametrize("model", ["base", *COMMUNITIES, "zizou@1", "greybeards@live"])
def test_a_chat_is_answered_under_the_name_that_was_asked(client: OpenAI, model: str) -> None:
    """The response's model is the caller's model string, and the usage adds up."""
    answer = client.chat.completions.create(model=model, messages=HELLO, max_tokens=24)
    assert answer.model == model
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_streamed_chat_ends_with_its_reason_and_usage(client: OpenAI) -> None:
    """Usage comes once, last, and only when it was asked for."""
    chunks = list(
        client.chat.completions.create(
            model="zizou", messages=HELLO, max_tokens=24, stream=True, stream_options={"include_usage": True}, seed=1
        )
    )
    assert all(chunk.model == "zizou" for chunk in chunks)
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] in ("stop", "length")
    plain = list(client.chat.completions.create(model="zizou", messages=HELLO, max_tokens=24, stream=True, seed=1))
    assert all(chunk.usage is None for chunk in plain)


def test_a_stream_says_what_the_whole_answer_says(client: OpenAI) -> None:
    """At temperature 0 both ways of asking give one text."""
    whole = client.chat.completions.create(model="greybeards", messages=HELLO, max_tokens=24, temperature=0)
    stream = client.chat.completions.create(model="greybeards", messages=HELLO, max_tokens=24, temperature=0, stream=True)
    streamed = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert streamed == whole.choices[0].message.content


def test_completions_continue_a_text_streamed_or_not(client: OpenAI) -> None:
    """The older endpoint too, with several choices."""
    answer = client.completions.create(model="greybeards", prompt="the server", max_tokens=8, n=2, temperature=1, seed=3)
    assert answer.model == "greybeards"
    assert len(answer.choices) == 2
    chunks = list(client.completions.create(model="greybeards", prompt="the server", max_tokens=8, stream=True))
    assert all(chunk.model == "greybeards" for chunk in chunks)
    assert any(choice.text for chunk in chunks for choice in chunk.choices)


def test_a_stop_string_ends_the_answer_and_is_not_in_it(client: OpenAI) -> None:
    """Whatever the model would have said: cut at a word of its own."""
    whole = client.chat.completions.create(model="zizou", messages=HELLO, max_tokens=24, temperature=0).choices[0].message.content or ""
    word = whole.split()[2]
    cut = client.chat.completions.create(model="zizou", messages=HELLO, max_tokens=24, temperature=0, stop=[word]).choices[0]
    assert cut.finish_reason == "stop"
    assert cut.message.content == whole[: whole.index(word)]


def test_temperature_zero_gives_one_answer(client: OpenAI) -> None:
    """The same seed and question, three times."""
    answers = {
        client.chat.completions.create(model="zizou", messages=HELLO, max_tokens=24, temperature=0, seed=7).choices[0].message.content
        for _ in range(3)
    }
    assert len(answers) == 1


def test_errors_are_the_sdk_s_own_classes(stack: Stack, client: OpenAI) -> None:
    """Each class by its status, with OpenAI's code, parameter and a request id."""
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="nobody", messages=HELLO)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert unknown.value.request_id
    with pytest.raises(openai.BadRequestError) as hot:
        client.chat.completions.create(model="zizou", messages=HELLO, temperature=3)
    assert hot.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model="zizou", messages=[{"role": "user", "content": "goal " * 20_000}])
    assert long.value.code == "context_length_exceeded"
    with OpenAI(base_url=stack.v1, api_key="tr_wrong_key", max_retries=0) as stranger, pytest.raises(openai.AuthenticationError) as denied:
        stranger.models.list()
    assert denied.value.code == "invalid_api_key"
    with OpenAI(base_url=stack.v1, api_key=ADMIN_KEY, max_retries=0) as admin, pytest.raises(openai.PermissionDeniedError):
        admin.chat.completions.create(model="zizou", messages=HELLO)
