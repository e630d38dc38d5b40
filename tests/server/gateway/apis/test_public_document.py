"""The document of the public API says what the tables say by which requests are read."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.apis.api import CHAT, MESSAGES, RESPONSES, TEXT, build_apis
from server.gateway.apis.public_document import PROMPTS, public_document, request_schema
from server.gateway.errors import GatewayError
from tests.server.gateway.test_bad_input import NOT_IN_RANGE, OF_CHAT

VOCABULARY = 512
APIS = {api.path: api for api in build_apis(VOCABULARY, no_tools=None)}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.integers() | st.floats(-3, 3) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["0", "5", "x", "include_usage", "type"]), inner, max_size=2)
    ),
    max_leaves=4,
)
MESSAGE = st.dictionaries(st.sampled_from(["role", "content", "name", "x"]), JSON | st.sampled_from(["user", "system", "xyz"]))


def passes(read: Any, *arguments: Any) -> bool:
    try:
        read(*arguments)
    except GatewayError:
        return False
    return True


def is_valid(schema: Any, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


@pytest.mark.parametrize("path", APIS)
def test_each_parameter_is_in_the_document(path: str) -> None:
    """With those that ask for nothing, and no others."""
    dialect = APIS[path].dialect
    schema = request_schema(dialect, PROMPTS[path])
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"].keys() == {*dialect.parameters, *dialect.neutral, "model", dialect.prompt}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("path", APIS)
@given(value=JSON)
def test_what_is_read_is_what_the_document_allows(path: str, value: Any) -> None:
    """No value passes a check that its schema would not let pass."""
    for name, check in APIS[path].dialect.parameters.items():
        if passes(check, value, name):
            assert is_valid(check.schema, value), (name, value)


@pytest.mark.parametrize("name", [*NOT_IN_RANGE, *OF_CHAT])
def test_what_is_out_of_range_is_so_in_the_document(name: str) -> None:
    """But for what JSON Schema cannot say: that 1.0 is no integer, and that text is printable."""
    table = APIS[CHAT].dialect.parameters
    for value in {**NOT_IN_RANGE, **OF_CHAT}[name]:
        assert not passes(table[name], value, name)
        if name not in ("logit_bias", "user") and not (isinstance(value, float) and value.is_integer()):
            assert not is_valid(table[name].schema, value), (name, value)


@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
@given(messages=st.lists(MESSAGE))
def test_messages_that_are_read_are_in_the_document(path: str, messages: Any) -> None:
    """Roles, texts and parts."""
    if passes(APIS[path].dialect.read, messages):
        assert is_valid(PROMPTS[path], messages)


@pytest.mark.parametrize("path", APIS)
@given(prompt=JSON)
def test_prompts_that_are_read_are_in_the_document(path: str, prompt: Any) -> None:
    """Texts and lists of tokens; for a key that chats."""
    if passes(APIS[path].dialect.read, prompt):
        assert is_valid(PROMPTS[path], prompt)


@pytest.mark.parametrize("no_tools", [None, "There are none."])
def test_the_document_has_every_route_and_names_nobody(no_tools: str | None) -> None:
    """So that it can be open, and tools can be made from it."""
    spoken = build_apis(VOCABULARY, no_tools=no_tools)
    made = public_document(spoken, version="v1")
    assert made == public_document(spoken, version="v1")
    assert made["paths"].keys() >= {CHAT, TEXT, RESPONSES, MESSAGES, "/v1/models", "/v1/models/{model}", "/v1/warm", "/v1/usage"}
