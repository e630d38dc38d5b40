"""Uploads that are wrong, huge, slow or half: refused with the part named, and nothing of them stays."""

import asyncio
import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.registry import Base
from adapters.registry.lora_config import FILE as CONFIG
from adapters.registry.safetensors_header import FILE as WEIGHTS
from server.gateway.admin.form import UNKNOWN_BASE_BYTES, Form, largest_weights
from server.gateway.admin.uploads import AT_ONCE, BATCH_BYTES
from server.gateway.errors import InvalidRequest, UploadTooLarge
from server.gateway.settings import GatewaySettings
from tests.adapters.registry import tiny
from tests.server.gateway.stage import ADMIN, ADMIN_KEY, MAX_RANK, Stage

MODULE = pytest.mark.asyncio(loop_scope="module")
PATH = "/admin/v1/communities/zizou/adapters"
EDGE = "edge-of-a-part"
Part = tuple[str, bytes]


@pytest.fixture(scope="module")
def settings(settings: GatewaySettings) -> GatewaySettings:
    """Not patient with an upload that brings nothing."""
    return settings.model_copy(update={"body_timeout": 0.5})


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[Part]:
    """The two parts of an adapter that is published."""
    path = tiny.write_adapter(tmp_path_factory.mktemp("good") / "adapter")
    return [(name, (path / name).read_bytes()) for name in (CONFIG, WEIGHTS)]


def encoded(parts: Iterable[Part], *, end: bytes = b"--") -> bytes:
    """A multipart body; each part with a file name that must not matter."""
    pieces = []
    for name, content in parts:
        head = f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"; filename="../../{name}"\r\n\r\n'
        pieces.append(head.encode() + content + b"\r\n")
    return b"".join(pieces) + f"--{EDGE}".encode() + end + b"\r\n"


async def send(stage: Stage, body: bytes, **headers: str) -> httpx.Response:
    kind = {"content-type": f"multipart/form-data; boundary={EDGE}"}
    return await stage.http.post(PATH, content=body, headers={**ADMIN, **kind, **{k.replace("_", "-"): v for k, v in headers.items()}})


async def emptied(stage: Stage) -> None:
    """Until nothing of any upload is left."""
    async with asyncio.timeout(5):
        while list(stage.scratch.iterdir()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def refused(stage: Stage, body: bytes, **headers: str) -> tuple[int, str | None, str | None]:
    versions = stage.memory.held.versions
    response = await send(stage, body, **headers)
    error = response.json()["error"]
    assert (set(error), error["message"][-1]) == ({"message", "type", "param", "code"}, ".")
    assert not [name for name in (*stage.hidden, "upload-") if name in response.text]
    await emptied(stage)
    assert stage.memory.held.versions is versions
    return response.status_code, error["code"], error["param"]


@MODULE
async def test_a_good_upload_is_published(stage: Stage, good: list[Part]) -> None:
    """In any order of parts, with what may travel with it; nothing of it stays in the gateway."""
    extra = [("training", b'{"seed": 1}'), ("report_card", b'{"fit": 1.5}'), ("by", "J\u00f8rgen".encode())]
    response = await send(stage, encoded([*extra, *reversed(good)]))
    assert response.status_code == 201, response.text
    said = response.json()
    assert (said["training"], said["report_card"], said["published_by"]) == ({"seed": 1}, {"fit": 1.5}, "J\u00f8rgen")
    await emptied(stage)


WRONG_PARTS: dict[str, tuple[list[Part], str]] = {
    "another file": ([("modeling.py", b"import os")], "modeling.py"),
    "a pickle": ([("adapter_model.bin", b"\x80\x04")], "adapter_model.bin"),
    "a tokenizer": ([("tokenizer.json", b"{}")], "tokenizer.json"),
    "a path": ([("../adapter_config.json", b"{}")], "../adapter_config.json"),
    "an absolute path": ([("/etc/passwd", b"x")], "/etc/passwd"),
    "another case": ([("Adapter_Config.json", b"{}")], "Adapter_Config.json"),
    "a name of 1,000 letters": ([("x" * 1000, b"{}")], "x" * 64),
    "no name": ([("", b"{}")], ""),
    "the config twice": ([(CONFIG, b"{}")], CONFIG),
    "the weights twice": ([(WEIGHTS, b"x")], WEIGHTS),
    "a long author": ([("by", b"x" * 401)], "by"),
    "training that is a list": ([("training", b"[1]")], "training"),
    "training with NaN": ([("training", b'{"loss": NaN}')], "training"),
    "a report card with a key twice": ([("report_card", b'{"a": 1, "a": 2}')], "report_card"),
    "a report card that is nested": ([("report_card", b'{"a":' * 40 + b"1" + b"}" * 40)], "report_card"),
    "a report card that is nested to exhaust": ([("report_card", b'{"a":' * 50_000)], "report_card"),
    "an author on two lines": ([("by", b"a\nb")], "by"),
}


@MODULE
@pytest.mark.parametrize("case", WRONG_PARTS)
async def test_a_part_that_does_not_belong_is_named(stage: Stage, good: list[Part], case: str) -> None:
    """Nothing is written under a name that came from outside."""
    extra, param = WRONG_PARTS[case]
    status, code, named = await refused(stage, encoded([*good, *extra]))
    assert (status, named) == (413 if case == "a long author" else 400, param)
    assert code in ("invalid_value", "request_too_large")


@MODULE
@pytest.mark.parametrize("missing", [CONFIG, WEIGHTS])
async def test_a_part_that_is_missing_is_named(stage: Stage, good: list[Part], missing: str) -> None:
    """An upload has both files."""
    assert await refused(stage, encoded([part for part in good if part[0] != missing])) == (400, "invalid_value", missing)


@MODULE
async def test_what_is_no_form_is_refused(stage: Stage, good: list[Part]) -> None:
    """Other types, no boundary, another boundary, half a form, garbage, nothing."""
    body = encoded(good)
    for kind in ("application/json", "multipart/form-data", "multipart/mixed; boundary=x", f"multipart/form-data; boundary={'b' * 71}", ""):
        assert (await refused(stage, body, content_type=kind))[:2] == (400, "invalid_value")
    for content in (
        b"",
        b"hello",
        body.replace(EDGE.encode(), b"another"),
        body[: len(body) // 2],
        encoded(good, end=b""),
        b"\0" * 100_000,
    ):
        assert (await refused(stage, content))[:2] == (400, "invalid_value")
    long_header = f"--{EDGE}\r\nx: {'y' * 10_000}\r\n\r\n\r\n--{EDGE}--\r\n".encode()
    many_headers = f"--{EDGE}\r\n{''.join(f'x{n}: y' + chr(13) + chr(10) for n in range(100))}\r\n\r\n--{EDGE}--\r\n".encode()
    many_parts = encoded([("by", b"")] * 10_000)
    for content in (long_header, many_headers, many_parts):
        assert (await refused(stage, content))[:2] == (400, "invalid_value")
    assert (await refused(stage, body, content_encoding="gzip"))[:2] == (415, "unsupported_encoding")


@MODULE
async def test_an_adapter_that_is_refused_says_its_field_and_no_path(stage: Stage, good: list[Part]) -> None:
    """What the registry's checks say of it."""
    config = json.loads(good[0][1])
    for changes, param in (({"use_dora": True}, "use_dora"), ({"r": 4096}, "r"), ({"auto_mapping": {"x": 1}}, "auto_mapping")):
        body = encoded([(CONFIG, json.dumps({**config, **changes}).encode()), good[1]])
        assert await refused(stage, body) == (400, "invalid_value", param)
    pickled = encoded([good[0], (WEIGHTS, b"\x80\x04\x95")])
    assert (await refused(stage, pickled))[::2] == (400, WEIGHTS)


@MODULE
async def test_an_upload_over_the_bound_is_stopped(stage: Stage, good: list[Part], base: Base) -> None:
    """Announced or not: weights that no adapter of this base can have are not written to their end."""
    bound = largest_weights(base, MAX_RANK)
    assert await refused(stage, encoded([good[0], (WEIGHTS, b"x" * (bound + 1))])) == (413, "request_too_large", WEIGHTS)
    assert (await refused(stage, encoded([(CONFIG, b" " * (65 << 10)), good[1]])))[::2] == (413, CONFIG)

    async def dribs() -> Any:
        yield encoded([good[0]])[: -len(EDGE) - 6] + f'--{EDGE}\r\nContent-Disposition: form-data; name="{WEIGHTS}"\r\n\r\n'.encode()
        for _ in range(400):
            yield b"x" * (64 << 10)

    response = await stage.http.post(PATH, content=dribs(), headers={**ADMIN, "content-type": f"multipart/form-data; boundary={EDGE}"})
    assert (response.status_code, response.json()["error"]["param"]) == (413, WEIGHTS)
    assert (await stage.http.get("/health/live")).status_code == 200
    await emptied(stage)
    reader, writer = await opened(stage, b"", 1 << 40)
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def opened(stage: Stage, body: bytes, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An upload that has begun: `body` is sent of the `length` that is announced."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    head = f"POST {PATH} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {ADMIN_KEY}\r\n"
    head += f"content-type: multipart/form-data; boundary={EDGE}\r\ncontent-length: {length}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return reader, writer


@MODULE
@pytest.mark.parametrize("pause", [10.0, 0.05], ids=["half an upload", "a dribble"])
async def test_an_upload_that_hardly_comes_is_timed_out(stage: Stage, good: list[Part], pause: float) -> None:
    """One that stops in the middle, and one that brings a byte now and then."""
    body = encoded(good)
    reader, writer = await opened(stage, body[:-50], len(body))

    async def dribble() -> None:
        for byte in body[-50:]:
            await asyncio.sleep(pause)
            writer.write(bytes([byte]))

    dribbling = asyncio.create_task(dribble())
    try:
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 408 ")
    finally:
        dribbling.cancel()
        await asyncio.gather(dribbling, return_exceptions=True)
        writer.close()
    await emptied(stage)


@MODULE
async def test_a_sender_who_leaves_leaves_nothing(stage: Stage, good: list[Part]) -> None:
    """In the head of a part, in the middle of the weights, or just before the end."""
    body = encoded([good[0], (WEIGHTS, b"x" * (2 * BATCH_BYTES)), good[1]])
    versions = stage.memory.held.versions
    for sent in (10, 60, 400, BATCH_BYTES + 1, len(body) - 10):
        gone = await stage.metric('troupe_errors_total{code="caller_gone"}')
        _, writer = await opened(stage, body[:sent], len(body))
        async with asyncio.timeout(5):
            while not list(stage.scratch.iterdir()):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        writer.close()
        await emptied(stage)
        assert await stage.metric('troupe_errors_total{code="caller_gone"}') == gone + 1
    assert stage.memory.held.versions is versions


@MODULE
async def test_more_uploads_than_there_is_room_for_wait_their_turn(stage: Stage, good: list[Part]) -> None:
    """Each is published; and slow ones do not keep others from chatting."""
    half = encoded(good)[:-20]
    slow = [await opened(stage, half, len(half) + 20) for _ in range(AT_ONCE)]
    body = {"model": "zizou", "messages": [{"role": "user", "content": "hello"}]}
    async with asyncio.timeout(10):
        while len(list(stage.scratch.iterdir())) < AT_ONCE:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        waiting = asyncio.create_task(send(stage, encoded(good)))
        assert (await stage.http.post("/v1/chat/completions", json=body)).status_code == 200
        assert len(list(stage.scratch.iterdir())) == AT_ONCE
        assert (await waiting).status_code == 201
    for _, writer in slow:
        writer.close()
    await emptied(stage)


def test_the_bound_is_the_largest_adapter_that_can_be(base: Base) -> None:
    """Every linear layer at the served rank in float32, and a header; two gigabytes where the base's shapes are not known."""
    sides = sum(out + into for out, into in tiny.LINEARS.values())
    assert largest_weights(base, MAX_RANK) == sides * MAX_RANK * 4 + (1 << 20)
    packed = Base(**{**{name: getattr(base, name) for name in base.__dataclass_fields__}, "shapes": {}})
    assert largest_weights(packed, MAX_RANK) == UNKNOWN_BASE_BYTES


@pytest.mark.parametrize("step", [1, 2, 7, 61, 1 << 20])
def test_a_form_may_be_cut_anywhere(tmp_path: Path, good: list[Part], step: int) -> None:
    """Also in a boundary; content that looks like one stays content."""
    weights = good[1][1] + f"\r\n--{EDGE}x\r\n--\r\n".encode() + struct.pack("<Q", 5)
    body = encoded([good[0], (WEIGHTS, weights), ("by", b"Ann")])
    form = Form(f'multipart/form-data; boundary="{EDGE}"', weights_bytes=1 << 20, scratch=tmp_path)
    for start in range(0, len(body), step):
        form.feed(body[start : start + step])
    folder, documents = form.finish()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {CONFIG: good[0][1], WEIGHTS: weights}
    assert documents.by == "Ann"
    form.discard()
    form.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_form_that_was_given_up_writes_no_more(tmp_path: Path, good: list[Part]) -> None:
    """Bytes that were on their way to a thread come too late."""
    body = encoded(good)
    form = Form(f"multipart/form-data; boundary={EDGE}", weights_bytes=1 << 20, scratch=tmp_path)
    form.feed(body[:500])
    form.discard()
    form.feed(body[500:])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidRequest):
        form.finish()


def test_bytes_over_a_part_s_bound_are_not_written(tmp_path: Path) -> None:
    """The file ends at what had come before."""
    form = Form(f"multipart/form-data; boundary={EDGE}", weights_bytes=100, scratch=tmp_path)
    with pytest.raises(UploadTooLarge):
        form.feed(encoded([(WEIGHTS, b"x" * 101)]))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) <= 100
    form.discard()


async def test_a_full_disk_is_said(fresh: Stage, good: list[Part]) -> None:
    """503, not a path, and nothing left: here the folder for uploads is gone."""
    fresh.scratch.rmdir()
    response = await send(fresh, encoded(good))
    fresh.scratch.mkdir()
    assert (response.status_code, response.json()["error"]["code"]) == (503, "registry_unavailable")
    assert str(fresh.scratch) not in response.text
