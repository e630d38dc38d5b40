"""What the admin API refuses, and how: without the key, without a name, without sense; and what its OpenAPI document says."""

import json
from typing import Any

import jsonschema
import pytest

from tests.server.gateway.admin.test_admin import ROOT, ZIZOU, call, fits
from tests.server.gateway.stage import ADMIN, CHAT_KEY, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES = [
    ("GET", f"{ROOT}/openapi.json"),
    ("GET", f"{ROOT}/status"),
    ("GET", f"{ROOT}/communities"),
    ("GET", ZIZOU),
    ("POST", f"{ZIZOU}/adapters"),
    ("GET", f"{ZIZOU}/adapters/1"),
    ("GET", f"{ZIZOU}/adapters/1/diff/2"),
    ("POST", f"{ZIZOU}/adapters/1/retire"),
    ("POST", f"{ZIZOU}/adapters/1/quarantine"),
    ("PUT", f"{ZIZOU}/aliases/live"),
    ("DELETE", f"{ZIZOU}/aliases/canary"),
    ("POST", f"{ZIZOU}/rollback"),
    ("POST", f"{ROOT}/gc"),
    ("GET", f"{ROOT}/keys"),
    ("POST", f"{ROOT}/keys"),
    ("POST", f"{ROOT}/keys/abcdefgh1234/rotate"),
    ("DELETE", f"{ROOT}/keys/abcdefgh1234"),
    ("POST", f"{ROOT}/verify"),
    ("GET", f"{ROOT}/limits"),
    ("GET", f"{ROOT}/limits/communities/zizou"),
    ("PUT", f"{ROOT}/limits/communities/zizou"),
    ("DELETE", f"{ROOT}/limits/communities/zizou"),
    ("GET", f"{ROOT}/limits/keys/abcdefgh1234"),
    ("PUT", f"{ROOT}/limits/keys/abcdefgh1234"),
    ("DELETE", f"{ROOT}/limits/keys/abcdefgh1234"),
    ("GET", f"{ROOT}/usage"),
    ("GET", f"{ROOT}/usage/events"),
    ("GET", f"{ZIZOU}/canary"),
    ("PUT", f"{ZIZOU}/canary"),
    ("DELETE", f"{ZIZOU}/canary"),
    ("GET", f"{ROOT}/feedback/scores"),
    ("GET", f"{ROOT}/feedback/examples"),
    ("POST", f"{ROOT}/feedback/forget"),
    ("GET", f"{ROOT}/consent"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_route_needs_the_admin_key(stage: Stage, method: str, path: str) -> None:
    """No key, a wrong one or the chat key: nothing is read, and nothing is said of what is there."""
    for authorization, status, code in (
        ("", 401, "invalid_api_key"),
        ("Bearer nonsense", 401, "invalid_api_key"),
        (f"Bearer {CHAT_KEY}", 403, "insufficient_permissions"),
    ):
        for content in (b"", b"not even JSON"):
            response = await stage.http.request(method, path, content=content, headers={"authorization": authorization})
            assert (response.status_code, response.json()["error"]["code"]) == (status, code)
            assert "zizou" not in response.text


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[0] in ("POST", "PUT")])
async def test_a_wrong_key_is_told_before_the_body_comes(stage: Stage, method: str, path: str) -> None:
    """A gigabyte is announced and not one byte of it sent."""
    head = f"{method} {path} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer wrong\r\ncontent-length: {1 << 30}\r\nconnection: close\r\n\r\n"
    assert (await stage.raw(head.encode())).startswith(b"HTTP/1.1 401 ")


BAD_BODIES: list[tuple[str, str, Any, str]] = [
    ("PUT", "aliases/live", {}, "version"),
    ("PUT", "aliases/live", {"version": 0}, "version"),
    ("PUT", "aliases/live", {"version": -1}, "version"),
    ("PUT", "aliases/live", {"version": 1 << 40}, "version"),
    ("PUT", "aliases/live", {"version": "1"}, "version"),
    ("PUT", "aliases/live", {"version": True}, "version"),
    ("PUT", "aliases/live", {"version": 1.0}, "version"),
    ("PUT", "aliases/live", {"version": None}, "version"),
    ("PUT", "aliases/live", {"version": 1, "share": 5}, "share"),
    ("PUT", "aliases/canary", {"version": 1}, "share"),
    ("PUT", "aliases/canary", {"version": 1, "share": -1}, "share"),
    ("PUT", "aliases/canary", {"version": 1, "share": 100.1}, "share"),
    ("PUT", "aliases/canary", {"version": 1, "share": "5"}, "share"),
    ("PUT", "aliases/canary", {"version": 1, "share": True}, "share"),
    ("PUT", "aliases/live", {"version": 1, "digest": "x"}, "digest"),
    ("PUT", "aliases/live", {"version": 1, "by": "x" * 101}, "by"),
    ("PUT", "aliases/live", {"version": 1, "by": "a\nb"}, "by"),
    ("PUT", "aliases/live", {"version": 1, "override": "x" * 301}, "override"),
    ("PUT", "aliases/live", {"version": 1, "override": "a\nb"}, "override"),
    ("PUT", "aliases/live", {"version": 1, "override": True}, "override"),
    ("POST", "adapters/1/quarantine", {}, "reason"),
    ("POST", "adapters/1/quarantine", {"reason": ""}, "reason"),
    ("POST", "adapters/1/quarantine", {"reason": "x" * 301}, "reason"),
    ("PUT", "aliases/Live", {"version": 1}, "alias"),
    ("PUT", "aliases/7", {"version": 1}, "alias"),
    ("PUT", "aliases/base", {"version": 1}, "alias"),
    ("PUT", f"aliases/{'a' * 33}", {"version": 1}, "alias"),
    ("PUT", "aliases/live%0a", {"version": 1}, "alias"),
    ("DELETE", "aliases/UP", None, "alias"),
    ("POST", "rollback", {"alias": "UP"}, "alias"),
    ("POST", "rollback", {"alias": 5}, "alias"),
    ("POST", "rollback", {"version": 5}, "version"),
    ("GET", "adapters/0", None, "version"),
    ("GET", "adapters/x", None, "version"),
    ("GET", "adapters/99999999999", None, "version"),
    ("GET", "adapters/1/diff/0", None, "other"),
    ("POST", "adapters/-1/retire", None, "version"),
]


@pytest.mark.parametrize(("method", "path", "body", "param"), BAD_BODIES)
async def test_what_is_wrong_is_named(stage: Stage, method: str, path: str, body: Any, param: str) -> None:
    """400 and the part; nothing moves, and the engine hears nothing of it."""
    before = stage.memory.held
    response = await call(stage, method, f"{ZIZOU}/{path}", body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_value", param)
    assert stage.memory.held is before
    assert stage.fake.received == []


@pytest.mark.parametrize("community", ["UP", "-a", "base", "a" * 64, "a_b", "%2e%2e", "a%0a", "a%00", "\u00e4"])
async def test_a_name_that_is_none_is_refused(stage: Stage, community: str) -> None:
    """By every route that has one."""
    for method, path in (("GET", ""), ("POST", "/adapters"), ("POST", "/rollback"), ("PUT", "/aliases/live"), ("GET", "/adapters/1")):
        response = await stage.http.request(method, f"{ROOT}/communities/{community}{path}", headers=ADMIN)
        assert (response.status_code, response.json()["error"]["param"]) == (400, "community")


@pytest.mark.parametrize("content", [b"[]", b"nope", b'{"version": NaN}', b'{"version": 1, "version": 2}', b"\xff", b"[" * 9000])
async def test_a_body_that_is_no_object_is_refused(stage: Stage, content: bytes) -> None:
    """Read as strictly as everybody's."""
    for method, path in (("PUT", "aliases/live"), ("POST", "rollback")):
        response = await stage.http.request(method, f"{ZIZOU}/{path}", content=content, headers=ADMIN)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_value")
    long = await stage.http.put(f"{ZIZOU}/aliases/live", content=b" " * (17 << 10), headers=ADMIN)
    assert (long.status_code, long.json()["error"]["code"]) == (413, "request_too_large")


async def test_the_openapi_document_is_one(stage: Stage) -> None:
    """Every route of the admin API is in it with a summary, its errors and the key that it needs; every reference leads somewhere."""
    response = await stage.http.get(f"{ROOT}/openapi.json", headers=ADMIN)
    document = response.json()
    assert document["openapi"].startswith("3.1")
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item if path.startswith(ROOT)}
    assert len(documented) == len(ROUTES) - 1
    assert all(any(method == each[0] and fits(each[1], path) for each in documented) for method, path in ROUTES[1:])
    for path, item in document["paths"].items():
        for operation in item.values():
            if path.startswith(ROOT):
                assert operation["summary"]
                assert "adminKey" in json.dumps(operation["security"])
                assert {"401", "403"} <= set(operation["responses"])
    references = [each for each in json.dumps(document).split('"') if each.startswith("#/")]
    assert references
    for reference in references:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert document["components"]["securitySchemes"]["adminKey"]["scheme"] == "bearer"
