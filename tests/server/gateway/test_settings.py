"""Keys and settings: what is taken, and what is refused at the start."""

import importlib.util
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from adapters.registry import Base
from server.fleet.fake import ScriptedEngine
from server.fleet.fleet import Fleet
from server.fleet.lifecycle import Policy
from server.gateway.app import create_app
from server.gateway.auth import Authenticator, Scope
from server.gateway.errors import Forbidden, Unauthorized
from server.gateway.settings import MAX_KEY_LENGTH, GatewaySettings
from server.gateway.upstream import is_dead, translate
from tests.server.gateway.memory_registry import MemoryRegistry


@pytest.mark.parametrize("key", ["x", "short", "tr_" + "k" * 64, "k" * MAX_KEY_LENGTH, "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
def test_an_operator_s_own_key_is_taken_and_opens(key: str) -> None:
    """Of any length that a header holds."""
    settings = GatewaySettings(api_key=SecretStr(key), admin_key=SecretStr("admin" + key[:9]))
    authenticator = Authenticator(chat=settings.api_key, admin=settings.admin_key)
    header = (b"authorization", f"Bearer {key}".encode())
    assert authenticator.require(Scope.CHAT, [header]).scopes == {Scope.CHAT}
    with pytest.raises(Forbidden):
        authenticator.require(Scope.ADMIN, [header])


@pytest.mark.parametrize("key", ["", " ", "two words", "tab\t", "line\n", "schlüssel", "\U0001f511", "k" * (MAX_KEY_LENGTH + 1)])
def test_a_key_that_no_header_carries_is_refused(key: str) -> None:
    """With a sentence that names the variable, and without the key."""
    with pytest.raises(ValidationError, match="TROUPE_API_KEY") as caught:
        GatewaySettings(api_key=SecretStr(key))
    assert len(key) < 5 or key not in str(caught.value)


def test_one_key_cannot_be_both() -> None:
    """The chat key is handed around; the admin key is not."""
    with pytest.raises(ValidationError, match="TROUPE_ADMIN_KEY"):
        GatewaySettings(api_key=SecretStr("same"), admin_key=SecretStr("same"))


@pytest.mark.parametrize("other", ["api_key", "admin_key"])
def test_the_evaluate_key_is_no_other_key(other: str) -> None:
    """Whoever has one of the others would have it too."""
    keys = {"api_key": SecretStr("chat"), "evaluate_key": SecretStr("evaluate"), "admin_key": SecretStr("admin")}
    with pytest.raises(ValidationError, match="TROUPE_EVALUATE_KEY"):
        GatewaySettings.model_validate({**keys, other: SecretStr("evaluate")})


def test_an_evaluate_key_also_chats_and_does_not_administer() -> None:
    """It holds two scopes of three; without one set, no key evaluates."""
    header = [(b"authorization", b"Bearer evaluate")]
    authenticator = Authenticator(chat=SecretStr("chat"), evaluate=SecretStr("evaluate"), admin=SecretStr("admin"))
    assert authenticator.require(Scope.CHAT, header).scopes == {Scope.CHAT, Scope.EVALUATE}
    with pytest.raises(Forbidden, match="admin key"):
        authenticator.require(Scope.ADMIN, header)
    with pytest.raises(Unauthorized):
        Authenticator(chat=SecretStr("chat"), admin=None).require(Scope.CHAT, header)


@pytest.mark.parametrize("value", [b"Bearer ", b"Bearer \t", b"", b"Bearer a\0b", b"\xff\xfe", b"Bearer \xf0\x9f\x94\x91"])
def test_no_header_value_confuses_the_authenticator(value: bytes) -> None:
    """Neither an empty key nor bytes that are no text."""
    authenticator = Authenticator(chat=SecretStr("key"), admin=None)
    with pytest.raises(Unauthorized):
        authenticator.require(Scope.CHAT, [(b"authorization", value)])


def test_without_a_chat_key_there_is_no_gateway(base: Base) -> None:
    """It would be open to everybody, or to nobody."""
    fleet = Fleet(ScriptedEngine(), Policy())
    with pytest.raises(ValueError, match="TROUPE_API_KEY"):
        create_app(GatewaySettings(api_key=None), fleet=fleet, registry=MemoryRegistry(), base=base, max_rank=8)


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        (404, b"The model `secret` does not exist", "adapter_unavailable"),
        (400, b"The adapter at secret could not be loaded", "adapter_unavailable"),
        (400, b"maximum context length of secret", "context_length_exceeded"),
        (400, b"secret", "invalid_value"),
        (400, b"Out of range float values are not JSON compliant: secret", "engine_error"),
        (401, b"secret", "engine_error"),
        (404, b"secret", "engine_error"),
        (422, b"secret", "engine_error"),
        (500, b"secret", "engine_error"),
        (503, b"secret", "engine_unavailable"),
        (500, b"EngineCore encountered an issue. See stack trace (above) for secret", "engine_unavailable"),
    ],
)
def test_no_text_of_the_engine_is_in_a_translation(status: int, text: bytes, code: str) -> None:
    """A caller who passed our checks is told in our words."""
    error = translate(status, text)
    assert error.code == code
    assert b"secret" not in error.encoded()


def test_an_engine_that_goes_down_still_says_so_in_these_words() -> None:
    """They are the pinned vLLM's: by them a request that its core took down with it is told from one that only failed."""
    spec = importlib.util.find_spec("vllm")
    if spec is None or spec.origin is None:
        pytest.skip("vLLM is not installed here")
    text = Path(spec.origin).with_name("v1") / "engine" / "exceptions.py"
    assert is_dead(text.read_bytes())
