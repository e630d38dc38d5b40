"""Keys and settings: what is taken, and what is refused at the start."""

import importlib.util
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from server.gateway.settings import MAX_KEY_LENGTH, GatewaySettings
from server.gateway.upstream import is_dead, translate


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


def test_who_is_logged_is_a_list_of_communities() -> None:
    """With commas between, and refused where a name cannot be one."""
    assert GatewaySettings(log_prompts="zizou, greybeards").log_prompts == {"zizou", "greybeards"}  # type: ignore[arg-type]
    assert GatewaySettings().log_prompts == frozenset()
    with pytest.raises(ValueError, match="commas"):
        GatewaySettings(log_prompts="zizou;greybeards")  # type: ignore[arg-type]
