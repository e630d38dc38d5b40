"""Whom a request's head lets in: keys that the settings name, and what a head may look like."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from server.accounts import KeyRing, KeyStore, Scope
from server.gateway.auth import Authenticator
from server.gateway.errors import Forbidden, KeysUnavailable, Unauthorized
from server.gateway.parts import configured_keys
from server.gateway.record import SCOPE_KEY, Record
from server.gateway.settings import MAX_KEY_LENGTH, GatewaySettings
from tests.server.accounts.stage import StoppedClock, opened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[KeyStore]:
    async with opened(tmp_path, "") as store:
        yield store


async def authenticator(store: KeyStore, **keys: str) -> Authenticator:
    """As a gateway with these keys in its settings has it."""
    settings = GatewaySettings.model_validate({name: SecretStr(key) for name, key in keys.items()})
    ring = KeyRing(store, configured=configured_keys(settings))
    await ring.refresh()
    return Authenticator(ring)


def request(authorization: bytes) -> dict[str, Any]:
    return {"headers": [(b"authorization", authorization)], SCOPE_KEY: Record("GET", "/")}


@pytest.mark.parametrize("key", ["x", "short", "tr_" + "k" * 64, "k" * MAX_KEY_LENGTH, "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
async def test_an_operator_s_own_key_is_taken_and_opens(store: KeyStore, key: str) -> None:
    """Of any length that a header holds; the log is told its name and not the key."""
    door = await authenticator(store, api_key=key, admin_key="admin" + key[:9])
    asked = request(f"Bearer {key}".encode())
    assert door.admit(asked, Scope.CHAT).scopes == {Scope.CHAT}
    assert asked[SCOPE_KEY].key_id == "set-chat"
    with pytest.raises(Forbidden):
        door.admit(asked, Scope.ADMIN)


async def test_an_evaluate_key_also_chats_and_does_not_administer(store: KeyStore) -> None:
    """It holds two scopes; without one set, no key of that text evaluates."""
    asked = request(b"Bearer evaluate")
    door = await authenticator(store, api_key="chat", evaluate_key="evaluate", admin_key="admin")
    assert door.admit(asked, Scope.CHAT).scopes == {Scope.CHAT, Scope.EVALUATE}
    with pytest.raises(Forbidden, match="admin key"):
        door.admit(asked, Scope.ADMIN)
    without = await authenticator(store, api_key="chat")
    with pytest.raises(Unauthorized):
        without.admit(asked, Scope.CHAT)


async def test_where_there_is_no_key_nobody_comes_in(store: KeyStore) -> None:
    """Neither in the settings nor in the table."""
    door = await authenticator(store)
    for value in (b"Bearer x", b"Bearer chat", b"Bearer None"):
        with pytest.raises(Unauthorized):
            door.identify([(b"authorization", value)])


@pytest.mark.parametrize(
    "value",
    [b"Bearer ", b"Bearer \t", b"", b"Bearer a\0b", b"\xff\xfe", b"Bearer \xf0\x9f\x94\x91", b"Basic key", b"key", b"Bearer\xa0key"],
)
async def test_no_header_value_confuses_the_authenticator(store: KeyStore, value: bytes) -> None:
    """Neither an empty key nor bytes that are no text."""
    door = await authenticator(store, api_key="key")
    with pytest.raises(Unauthorized):
        door.identify([(b"authorization", value)])


async def test_two_keys_in_one_head_are_none(store: KeyStore) -> None:
    """Whoever stands in between could have read the other one."""
    door = await authenticator(store, api_key="key")
    with pytest.raises(Unauthorized):
        door.identify([(b"authorization", b"Bearer key"), (b"authorization", b"Bearer key")])


async def test_any_bytes_are_refused_in_the_same_way(store: KeyStore) -> None:
    """By one of two sentences, and by nothing else."""
    door = await authenticator(store, api_key="xx", admin_key="admin")

    @given(st.binary(max_size=2000))
    def refused(value: bytes) -> None:
        with pytest.raises(Unauthorized):
            door.identify([(b"authorization", b"Bearer y" + value)])

    refused()


async def test_keys_that_cannot_be_checked_are_a_503(tmp_path: Path) -> None:
    """With a time: it is not the caller's fault."""
    clock = StoppedClock()
    async with opened(tmp_path, "", clock=clock) as store:
        ring = KeyRing(store, configured=configured_keys(GatewaySettings(api_key=SecretStr("key"))), clock=clock.monotonic)
        with pytest.raises(KeysUnavailable) as caught:
            Authenticator(ring).identify([(b"authorization", b"Bearer key")])
    assert (caught.value.status, caught.value.headers) == (503, ((b"retry-after", b"1"),))
