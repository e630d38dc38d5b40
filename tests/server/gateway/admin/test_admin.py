"""The admin API on a real registry: what each route answers, and that all of it is as its OpenAPI document says."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import pytest_asyncio

from adapters.registry import Base, DatabaseError, StoreError
from adapters.registry.open import open_registry
from adapters.registry.registry import Registry
from server.gateway.settings import GatewaySettings
from tests.adapters.registry import tiny
from tests.server.gateway.stage import ADMIN, MAX_RANK, Stage, open_stage

ROOT = "/admin/v1"
ZIZOU = f"{ROOT}/communities/zizou"
ASK = {"model": "zizou", "messages": [{"role": "user", "content": "hello"}]}


@pytest_asyncio.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    registry = await open_registry(tmp_path / "home")
    yield registry
    await registry.close()


@pytest_asyncio.fixture
async def office(tmp_path: Path, base: Base, settings: GatewaySettings, registry: Registry) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path, base, settings, registry) as stage:
        yield stage


def files(folder: Path, *, fill: bytes = b"\x01", **config: Any) -> dict[str, Any]:
    """The two parts of an adapter, as httpx sends them."""
    path = tiny.write_adapter(folder / f"adapter-{fill.hex()}-{len(config)}", fill=fill, **config)
    return {name: (name, (path / name).read_bytes()) for name in ("adapter_config.json", "adapter_model.safetensors")}


async def publish(
    stage: Stage, folder: Path, *, community: str = "zizou", fill: bytes = b"\x01", data: dict[str, str] | None = None
) -> httpx.Response:
    parts = files(folder / community, fill=fill)
    return await stage.http.post(f"{ROOT}/communities/{community}/adapters", files=parts, data=data, headers=ADMIN)


async def call(stage: Stage, method: str, path: str, body: Any = None) -> httpx.Response:
    """With the admin key; and whatever is answered is what the OpenAPI document says of it."""
    response = await stage.http.request(method, path, json=body, headers=ADMIN)
    document = (await stage.http.get(f"{ROOT}/openapi.json", headers=ADMIN)).json()
    check(document, method, path, response)
    return response


def check(document: dict[str, Any], method: str, path: str, response: httpx.Response) -> None:
    """The route is documented, this status too, and the body is as its schema says."""
    template = next(each for each in document["paths"] if fits(each, path) and method.lower() in document["paths"][each])
    said = document["paths"][template][method.lower()]["responses"]
    assert str(response.status_code) in said, (template, response.status_code, response.text)
    content = said[str(response.status_code)].get("content", {}).get("application/json", {})
    if content:
        jsonschema.validate(response.json(), {**content["schema"], "components": document["components"]})
    else:
        assert response.content == b""


def fits(template: str, path: str) -> bool:
    ours, theirs = template.split("/"), path.split("/")
    return len(ours) == len(theirs) and all(one == other or one.startswith("{") for one, other in zip(ours, theirs, strict=True))


async def test_an_adapter_s_life(office: Stage, tmp_path: Path) -> None:
    """Published, promoted, replaced, rolled back, compared, retired, collected: each step as documented."""
    said = {"training": '{"loss": 2.5, "seed": 1}', "report_card": '{"fit": {"loss": 2.5}}', "by": "Ann"}
    first = await publish(office, tmp_path, data=said)
    assert (first.status_code, first.json()["version"], first.json()["published_by"]) == (201, 1, "Ann")
    assert first.json()["report_card"] == {"fit": {"loss": 2.5}}
    assert (await office.http.post("/v1/chat/completions", json=ASK)).status_code == 404
    again = await publish(office, tmp_path / "again")
    assert (again.status_code, again.json()["version"], again.json()["published_by"]) == (200, 1, "Ann")

    live = await call(office, "PUT", f"{ZIZOU}/aliases/live", {"version": 1})
    assert (live.status_code, live.json()["version"], live.json()["share"]) == (200, 1, 0)
    assert (await office.http.post("/v1/chat/completions", json=ASK)).headers["x-troupe-adapter"] == "zizou@1"
    second = await publish(office, tmp_path / "second", fill=b"\x02", data={"report_card": '{"fit": {"loss": 2.25}}'})
    assert (second.status_code, second.json()["version"]) == (201, 2)
    canary = await call(office, "PUT", f"{ZIZOU}/aliases/canary", {"version": 2, "share": 100})
    assert (canary.json()["alias"], canary.json()["share"]) == ("canary", 100)
    assert (await office.http.post("/v1/chat/completions", json=ASK)).headers["x-troupe-adapter"] == "zizou@2"
    assert (await call(office, "DELETE", f"{ZIZOU}/aliases/canary")).status_code == 204
    await call(office, "PUT", f"{ZIZOU}/aliases/live", {"version": 2, "by": "Bob"})

    listed = (await call(office, "GET", f"{ROOT}/communities")).json()
    assert listed == {"communities": [{"community": "zizou", "versions": 2, "aliases": {"live": {"version": 2, "share": 0}}}]}
    shown = (await call(office, "GET", ZIZOU)).json()
    assert [entry["version"] for entry in shown["adapters"]] == [1, 2]
    assert (await call(office, "GET", f"{ZIZOU}/adapters/2")).json() == second.json()
    differ = (await call(office, "GET", f"{ZIZOU}/adapters/1/diff/2")).json()
    assert {"field": "report_card.fit.loss", "from": 2.5, "to": 2.25} in differ["changes"]
    assert (differ["from"], differ["to"]) == (1, 2)

    assert (await call(office, "POST", f"{ZIZOU}/adapters/2/retire")).status_code == 409
    back = await call(office, "POST", f"{ZIZOU}/rollback", {"alias": "live"})
    assert (back.status_code, back.json()["version"]) == (200, 1)
    assert (await office.http.post("/v1/chat/completions", json=ASK)).headers["x-troupe-adapter"] == "zizou@1"
    assert (await call(office, "POST", f"{ZIZOU}/rollback")).status_code == 409
    retired = await call(office, "POST", f"{ZIZOU}/adapters/2/retire")
    assert (retired.status_code, retired.json()["state"]) == (200, "retired")
    assert (await call(office, "PUT", f"{ZIZOU}/aliases/live", {"version": 2})).status_code == 409
    assert (await call(office, "POST", f"{ROOT}/gc")).json() == {"removed": [second.json()["digest"]], "uploads": 0}
    assert (await call(office, "POST", f"{ROOT}/verify")).json() == {"checked": 1, "damaged": []}
    assert (await call(office, "GET", f"{ROOT}/status")).json()["models"] == ["base", "zizou"]


async def test_damage_is_found_and_said_without_a_path(office: Stage, tmp_path: Path) -> None:
    """A version whose stored bytes are others is quarantined where nothing points at it; publishing it again heals it."""
    assert (await publish(office, tmp_path)).status_code == 201
    (weights,) = (tmp_path / "home").rglob("adapter_model.safetensors")
    weights.chmod(0o644)
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    response = await call(office, "POST", f"{ROOT}/verify")
    (damage,) = response.json()["damaged"]
    assert (response.json()["checked"], damage["community"], damage["version"]) == (1, "zizou", 1)
    assert str(tmp_path) not in response.text
    assert (await call(office, "GET", f"{ZIZOU}/adapters/1")).json()["state"] == "quarantined"
    assert (await publish(office, tmp_path / "again")).json()["state"] == "published"
    assert (await call(office, "POST", f"{ROOT}/verify")).json() == {"checked": 1, "damaged": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", f"{ROOT}/communities/nobody", None, 404, "adapter_not_found"),
        ("GET", f"{ZIZOU}/adapters/9", None, 404, "adapter_not_found"),
        ("GET", f"{ROOT}/communities/nobody/adapters/1", None, 404, "adapter_not_found"),
        ("GET", f"{ZIZOU}/adapters/1/diff/9", None, 404, "adapter_not_found"),
        ("PUT", f"{ZIZOU}/aliases/live", {"version": 9}, 404, "adapter_not_found"),
        ("PUT", f"{ROOT}/communities/nobody/aliases/live", {"version": 1}, 404, "adapter_not_found"),
        ("PUT", f"{ZIZOU}/aliases/canary", {"version": 9, "share": 5}, 404, "adapter_not_found"),
        ("DELETE", f"{ZIZOU}/aliases/canary", None, 404, "adapter_not_found"),
        ("DELETE", f"{ROOT}/communities/nobody/aliases/live", None, 404, "adapter_not_found"),
        ("POST", f"{ZIZOU}/adapters/9/retire", None, 404, "adapter_not_found"),
        ("POST", f"{ZIZOU}/adapters/9/quarantine", {"reason": "gone"}, 404, "adapter_not_found"),
        ("POST", f"{ROOT}/communities/nobody/rollback", None, 404, "adapter_not_found"),
        ("DELETE", f"{ZIZOU}/aliases/live", None, 409, "conflict"),
        ("POST", f"{ZIZOU}/rollback", {"alias": "live"}, 409, "conflict"),
        ("POST", f"{ZIZOU}/rollback", {"alias": "canary"}, 409, "conflict"),
        ("POST", f"{ZIZOU}/adapters/1/retire", None, 409, "conflict"),
    ],
)
async def test_what_is_not_there_and_what_cannot_be(
    office: Stage, tmp_path: Path, method: str, path: str, body: Any, status: int, code: str
) -> None:
    """404 for versions, communities and aliases that are missing; 409 for moves that the present state does not allow."""
    await publish(office, tmp_path)
    assert (await call(office, "PUT", f"{ZIZOU}/aliases/live", {"version": 1})).status_code == 200
    response = await call(office, method, path, body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.json()["error"]["message"].endswith(".")
    assert str(tmp_path) not in response.text


async def test_gates_are_minded_before_the_engine_is_asked(office: Stage, tmp_path: Path) -> None:
    """A version that failed its gates is a 409 that says how to go on, and live once somebody says why, which stays with it."""
    card = '{"passed": false, "gates": [{"name": "ranking", "value": 0.2, "limit": 0.5, "passed": false}]}'
    assert (await publish(office, tmp_path, data={"report_card": card})).json()["override"] is None
    for alias, body in (("live", {"version": 1}), ("canary", {"version": 1, "share": 5}), ("live", {"version": 1, "override": " "})):
        refused = await call(office, "PUT", f"{ZIZOU}/aliases/{alias}", body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
        assert "ranking: 0.2" in refused.json()["error"]["message"]
    assert office.fake.received == []
    moved = await call(office, "PUT", f"{ZIZOU}/aliases/live", {"version": 1, "override": "it is funny", "by": "Ann"})
    said = moved.json()["adapter"]["override"]
    assert (moved.status_code, said["why"], said["by"]) == (200, "it is funny", "Ann")
    assert (await call(office, "GET", ZIZOU)).json()["adapters"][0]["override"] == said


async def test_a_version_can_be_stopped_at_once(office: Stage, tmp_path: Path) -> None:
    """Though live means it: from the next request on nobody gets it."""
    await publish(office, tmp_path)
    await call(office, "PUT", f"{ZIZOU}/aliases/live", {"version": 1})
    stopped = await call(office, "POST", f"{ZIZOU}/adapters/1/quarantine", {"reason": "It learnt from somebody who is forgotten."})
    assert (stopped.status_code, stopped.json()["state"]) == (200, "quarantined")
    assert stopped.json()["reason"].startswith("It learnt")
    assert (await office.http.post("/v1/chat/completions", json=ASK)).status_code == 404


@pytest.mark.parametrize("failure", [DatabaseError("No /srv/secret/index.db."), StoreError("No s3://secret/bucket.")])
async def test_a_registry_that_is_away_is_503_with_a_time(
    fresh: Stage, tmp_path: Path, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Its words, which hold paths and addresses, are for the log; nobody's chat is disturbed."""
    assert (await call(fresh, "PUT", f"{ZIZOU}/aliases/live", {"version": 2})).status_code == 200
    fresh.memory.failure = failure
    answers = [
        await call(fresh, "GET", ZIZOU),
        await call(fresh, "PUT", f"{ZIZOU}/aliases/live", {"version": 1}),
        await call(fresh, "POST", f"{ZIZOU}/rollback"),
        await call(fresh, "POST", f"{ROOT}/verify"),
        await publish(fresh, tmp_path),
    ]
    for response in answers:
        assert (response.status_code, response.json()["error"]["code"]) == (503, "registry_unavailable")
        assert "retry-after" in response.headers
        assert "secret" not in response.text
    assert "secret" in caplog.text
    assert (await fresh.http.post("/v1/chat/completions", json=ASK)).headers["x-troupe-adapter"] == "zizou@2"


async def test_without_an_engine_one_can_still_publish_and_look(office: Stage, tmp_path: Path) -> None:
    """Only moving forward needs one."""
    await office.break_down()
    assert (await publish(office, tmp_path)).status_code == 201
    assert (await call(office, "GET", ZIZOU)).status_code == 200
    assert (await call(office, "PUT", f"{ZIZOU}/aliases/live", {"version": 1})).status_code == 503


async def test_what_is_over_the_served_rank_is_refused(office: Stage, tmp_path: Path) -> None:
    """In the registry's words, with the field and without a path; nothing is published."""
    path = tiny.write_adapter(tmp_path / "large", rank=MAX_RANK + 1)
    parts = {name: (path / name).read_bytes() for name in ("adapter_config.json", "adapter_model.safetensors")}
    response = await office.http.post(f"{ZIZOU}/adapters", files=parts, headers=ADMIN)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "r")
    assert str(tmp_path) not in response.text
    assert (await office.http.get(ZIZOU, headers=ADMIN)).status_code == 404


async def test_who_published_is_on_record(office: Stage, tmp_path: Path) -> None:
    """The name that was said, or the key."""
    header = await office.key("publish", communities=["zizou"])
    path = f"{ROOT}/communities/zizou/adapters"
    unsaid = await office.http.post(path, files=files(tmp_path / "one", fill=b"\x03"), headers=header)
    said = await office.http.post(path, files=files(tmp_path / "two", fill=b"\x04"), data={"by": "Ann"}, headers=header)
    key_id = header["authorization"].split("_")[1]
    assert [each.json()["published_by"] for each in (unsaid, said)] == [f"key {key_id}", "Ann"]
    elsewhere = await office.http.post(f"{ROOT}/communities/greybeards/adapters", files=files(tmp_path / "three"), headers=header)
    assert elsewhere.status_code == 403
