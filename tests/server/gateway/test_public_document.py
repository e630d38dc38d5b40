"""The document of the public API says what the tables say by which requests are read."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.errors import GatewayError
from server.gateway.messages import read_messages, read_prompt
from server.gateway.parse import Dialect, chat_dialect, completion_dialect, evaluation_dialect
from server.gateway.public_document import MESSAGES, PROMPT, public_document, request_schema
from tests.server.gateway.test_bad_input import NOT_IN_RANGE, OF_CHAT

VOCABULARY = 512
DIALECTS = {"chat": chat_dialect(VOCABULARY), "text": completion_dialect(VOCABULARY), "evaluation": evaluation_dialect(VOCABULARY)}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.integers() | st.floats(-3, 3) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["0", "5", "x", "include_usage", "type"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def passes(read: Any, *arguments: Any) -> bool:
    try:
        read(*arguments)
    except GatewayError:
        return False
    return True


def is_valid(schema: Any, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


@pytest.mark.parametrize("spoken", DIALECTS)
def test_each_parameter_is_in_the_document(spoken: str) -> None:
    """With those that ask for nothing, and no others."""
    dialect: Dialect = DIALECTS[spoken]
    schema = request_schema(dialect, MESSAGES if spoken == "chat" else PROMPT)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"].keys() == {*dialect.parameters, *dialect.neutral, "model", dialect.prompt}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("spoken", DIALECTS)
@given(value=JSON)
def test_what_is_read_is_what_the_document_allows(spoken: str, value: Any) -> None:
    """No value passes a check that its schema would not let pass."""
    for name, check in DIALECTS[spoken].parameters.items():
        if passes(check, value, name):
            assert is_valid(check.schema, value), (name, value)


@pytest.mark.parametrize("name", [*NOT_IN_RANGE, *OF_CHAT])
def test_what_is_out_of_range_is_so_in_the_document(name: str) -> None:
    """But for what JSON Schema cannot say: that 1.0 is no integer, and that text is printable."""
    table = DIALECTS["chat"].parameters
    for value in {**NOT_IN_RANGE, **OF_CHAT}[name]:
        assert not passes(table[name], value, name)
        if name not in ("logit_bias", "user") and not (isinstance(value, float) and value.is_integer()):
            assert not is_valid(table[name].schema, value), (name, value)


@given(
    messages=st.lists(st.dictionaries(st.sampled_from(["role", "content", "name", "x"]), JSON | st.sampled_from(["user", "system", "xyz"])))
)
def test_messages_that_are_read_are_in_the_document(messages: Any) -> None:
    """And so are prompts."""
    if passes(read_messages, messages):
        assert is_valid(MESSAGES, messages)
    if passes(read_prompt, messages, VOCABULARY):
        assert is_valid(PROMPT, messages)


@given(prompt=JSON)
def test_prompts_that_are_read_are_in_the_document(prompt: Any) -> None:
    """Texts and lists of tokens."""
    if passes(read_prompt, prompt, VOCABULARY):
        assert is_valid(PROMPT, prompt)


def test_the_document_is_the_same_each_time_and_names_nobody() -> None:
    """So that it can be open, and tools can be made from it."""
    made = [public_document(DIALECTS["chat"], DIALECTS["text"], version="v1") for _ in range(2)]
    assert made[0] == made[1]
    assert made[0]["paths"].keys() >= {"/v1/chat/completions", "/v1/completions", "/v1/models", "/v1/models/{model}", "/v1/warm"}
