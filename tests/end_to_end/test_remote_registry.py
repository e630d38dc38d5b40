"""The same with the registry elsewhere: bytes in a bucket, versions and aliases in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.registry.s3 import s3_service, send
from tests.end_to_end.admin import Admin
from tests.end_to_end.asking import Question, asker
from tests.end_to_end.constant_voices import Voices
from tests.end_to_end.stack import Stack, start_stack
from tests.postgres import postgres_server

pytestmark = pytest.mark.engine


@pytest.fixture
def remote_stack(demo: Path, tmp_path: Path) -> Iterator[Stack]:
    with s3_service() as keys, postgres_server() as postgres:
        send("PUT", "troupe-adapters")
        settings = {"TROUPE_STORE_URL": "s3://troupe-adapters/of/ours", "TROUPE_DATABASE_URL": postgres.database()}
        running = start_stack(tmp_path / "home", TROUPE_BASE=str(demo / "base"), **keys, **settings)
        try:
            yield running
        finally:
            running.stop()


async def test_adapters_live_in_a_bucket_and_aliases_in_postgres(remote_stack: Stack, voices: Voices, tmp_path: Path) -> None:
    """Publish, promote, answer, roll back; nothing of the registry lies in the home but the engine's verified copies."""
    first, second = voices.voices[76:78]
    with Admin(remote_stack) as admin:
        async with asker(remote_stack) as asking:
            admin.debut("remote", voices.write(first, 2, tmp_path / "first"))
            assert first.is_heard_in((await asking.ask(Question("remote", "hello"))).text)
            manifest = admin.debut("remote", voices.write(second, 3, tmp_path / "second"))
            answer = await asking.ask(Question("remote", "hello", stream=True))
            assert answer.adapter == "remote@2"
            assert second.is_heard_in(answer.text)
            assert admin.rollback("remote").json()["version"] == 1
            assert first.is_heard_in((await asking.ask(Question("remote", "hello"))).text)
        assert admin.verify() == {"checked": 2, "damaged": []}
    name = f"remote-{manifest['digest'].removeprefix('sha256:')[:16]}"
    assert list(remote_stack.cache.glob(f"*/{name}/adapter_model.safetensors"))
    assert not (remote_stack.home / "registry").exists()
