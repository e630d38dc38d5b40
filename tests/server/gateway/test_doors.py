"""Every way into the gateway, with no key, a wrong one and another community's, however the request is dressed."""

import pytest
from fastapi.routing import APIRoute

from tests.server.gateway.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN = {"/health/live", "/health/ready", "/metrics", "/openapi.json"}
"""On purpose: they name nobody."""
DIRECT = [("POST", path) for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")]
HOSTS = ("g", "a/?x=", "a/v1/models?x=", "g:80@admin", "127.0.0.1/health/live?")
DRESSED = (
    "//admin/v1/status", "/admin/v1//status", "/admin%2fv1/status", "/admin/v1/status;x", "/health/live/../../admin/v1/status",
    "/ADMIN/v1/status", "/admin/v1/status/", "/v1/models/..%2f..%2fadmin%2fv1%2fstatus", "/v1//models", "/v1/models/",
    "http://g/admin/v1/status", "http://g/v1/models", "/v1/chat/completions/", "/v1/chat/completions%20", "/v1/chat/completions;x",
    "/health/live%2f..%2f..%2fv1%2fmodels",
)  # fmt: skip


def ways(stage: Stage) -> list[tuple[str, str]]:
    """Each route that there is, with something in the places of its parameters."""
    front = stage.server.config.app
    routes = [route for route in front._rest.routes if isinstance(route, APIRoute)]  # type: ignore[union-attr]
    values = {
        "community": "greybeards", "version": "1", "other": "1", "alias": "live", "key_id": "abcdefgh1234", "model": "greybeards",
        "response": "resp_1",
    }  # fmt: skip
    shut = [route for route in routes if route.path not in OPEN]
    found = [(method, route.path_format.format_map(values)) for route in shut for method in sorted(route.methods)]
    assert len(found) > 20
    return [*DIRECT, *found]


async def status_of(stage: Stage, method: str, path: str, host: str, authorization: str) -> int:
    head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{authorization}content-length: 2\r\nconnection: close\r\n\r\n{{}}"
    return int((await stage.raw(head.encode())).split(b" ", 2)[1])


@pytest.mark.parametrize("host", HOSTS)
async def test_without_a_key_every_door_is_shut(stage: Stage, host: str) -> None:
    """401 by each route, whatever the Host header makes of its path."""
    for method, path in ways(stage):
        for authorization in (
            "",
            "x-api-key: wrong\r\n",
            "authorization: Bearer wrong\r\n",
            "authorization: Bearer tr_abcdefgh1234_" + "a" * 32 + "\r\n",
        ):
            assert await status_of(stage, method, path, host, authorization) in (400, 401), (method, path)


@pytest.mark.parametrize("scope", ["chat", "evaluate", "publish"])
async def test_another_community_s_key_opens_nothing_of_this_one(stage: Stage, scope: str) -> None:
    """Nor anything of the installation as a whole. What it may list is its own."""
    header = await stage.key(scope, communities=["zizou"])
    own = {"/v1/models", "/v1/usage", "/v1/feedback", "/v1/consent", "/admin/v1/communities", "/admin/v1/openapi.json"}
    for method, path in ways(stage):
        for host in HOSTS[:2]:
            status = await status_of(stage, method, path, host, f"authorization: {header['authorization']}\r\n")
            assert status in (400, 403, 404) or path in own, (method, path, status)
    assert stage.fake.received == []


@pytest.mark.parametrize("path", DRESSED)
async def test_a_path_in_disguise_opens_nothing(stage: Stage, path: str) -> None:
    """It is the route that it is, with that route's check, or none."""
    for authorization in ("", "authorization: Bearer wrong\r\n"):
        for method in ("GET", "POST"):
            assert await status_of(stage, method, path, "g", authorization) in (400, 401, 404, 405)
