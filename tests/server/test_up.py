"""`troupe up` that cannot start: one sentence, exit code 1, nothing left, and the next start is not in its way."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from server.gateway.settings import GatewaySettings
from server.keys import Shown, opened_books, own_keys
from tests.adapters.registry.tiny import write_base
from tests.end_to_end.stack import processes_of

TROUPE = str(Path(sys.executable).with_name("troupe"))


def run_up(home: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TROUPE_")}
    environment = {**inherited, "TROUPE_HOME": str(home), "TROUPE_PORT": "0", **settings}
    return subprocess.run([TROUPE, "up"], env=environment, capture_output=True, text=True, timeout=60, check=False)


def sentence_of(ran: "subprocess.CompletedProcess[str]") -> str:
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    lines = ran.stderr.strip().splitlines()
    assert lines[-1].startswith("troupe: "), ran.stderr
    return lines[-1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_base(tmp_path / "base")


def test_a_port_in_use(home: Path, base: Path) -> None:
    """Found before any long work; the sentence names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        sentence = sentence_of(run_up(home, TROUPE_BASE=str(base), TROUPE_PORT=port))
    assert port in sentence
    assert "TROUPE_PORT" in sentence


def test_a_base_that_is_not_there(home: Path, tmp_path: Path) -> None:
    """The path is named, and what to set."""
    sentence = sentence_of(run_up(home, TROUPE_BASE=str(tmp_path / "nowhere")))
    assert str(tmp_path / "nowhere") in sentence
    assert "TROUPE_BASE" in sentence


def test_a_base_of_another_kind(home: Path, tmp_path: Path) -> None:
    """A model that classifies cannot chat."""
    bert = write_base(tmp_path / "bert", architectures=["BertForSequenceClassification"])
    assert "BertForSequenceClassification" in sentence_of(run_up(home, TROUPE_BASE=str(bert)))


def test_a_base_without_a_usable_tokenizer(home: Path, base: Path) -> None:
    """The gateway counts prompts with it, so it is needed before the engine is."""
    (base / "tokenizer.json").write_text("{}")
    assert "tokenizer" in sentence_of(run_up(home, TROUPE_BASE=str(base)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TROUPE_PORT", "99999"),
        ("TROUPE_PORT", "http"),
        ("TROUPE_API_KEY", " "),
        ("TROUPE_COMMUNITY_LIMITS", "concurrent=many"),
        ("TROUPE_ENGINE_QUANTIZATION", "int3"),
        ("TROUPE_ENGINE_MAX_LORA_RANK", "10"),
    ],
)
def test_settings_that_make_no_sense(home: Path, base: Path, name: str, value: str) -> None:
    """Refused before anything is made, by the name of the variable."""
    assert name in sentence_of(run_up(home, **{"TROUPE_BASE": str(base), name: value}))
    assert not (home / "keys").exists()


def test_a_damaged_database(home: Path, base: Path) -> None:
    """The file is named."""
    (home / "registry").mkdir(parents=True)
    (home / "registry" / "index.db").write_bytes(b"not a database" * 500)
    assert "index.db" in sentence_of(run_up(home, TROUPE_BASE=str(base)))


def test_a_database_that_does_not_answer(home: Path, base: Path) -> None:
    """One sentence, and the password is not in it."""
    ran = run_up(home, TROUPE_BASE=str(base), TROUPE_DATABASE_URL="postgresql://troupe:hunter2@127.0.0.1:1/troupe")
    assert "TROUPE_DATABASE_URL" in sentence_of(ran)
    assert "hunter2" not in ran.stdout + ran.stderr


def test_a_quantization_that_the_base_does_not_have(home: Path, base: Path) -> None:
    """Refused before anything is published for it."""
    sentence = sentence_of(run_up(home, TROUPE_BASE=str(base), TROUPE_ENGINE_QUANTIZATION="awq"))
    assert "TROUPE_ENGINE_QUANTIZATION" in sentence


def test_a_build_does_not_outlive_what_asked_for_it(home: Path) -> None:
    """Killed outright while the demo is built, `troupe up` takes the build with it."""
    environment = {**os.environ, "TROUPE_HOME": str(home), "TROUPE_PORT": "0", "TROUPE_BASE": ""}
    with subprocess.Popen([TROUPE, "up"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
        deadline = time.monotonic() + 30
        while not (builders := [pid for pid, title in processes_of(up.pid).items() if "adapters.demo" in title]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        up.kill()
        up.wait(20)
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in builders):
        assert time.monotonic() < deadline, "the build goes on"
        time.sleep(0.05)


def test_a_home_that_cannot_be_made(tmp_path: Path, base: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    assert "TROUPE_HOME" in sentence_of(run_up(tmp_path / "file" / "home", TROUPE_BASE=str(base)))


@pytest.mark.engine
def test_an_engine_argument_that_vllm_does_not_know(home: Path, base: Path) -> None:
    """vLLM's own parser refuses it at the start, and its words are passed on."""
    sentence = sentence_of(run_up(home, TROUPE_BASE=str(base), TROUPE_ENGINE_EXTRA_ARGS="--no-such-thing 1"))
    assert "--no-such-thing" in sentence


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB. Needs a user who may mount: root, or a user namespace."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system that is full")
def test_a_full_disk(tiny_disk: Path) -> None:
    """The demo cannot be written; with room again nothing stands in the way of the next try."""
    (tiny_disk / "filler").write_bytes(b"\0" * (240 << 10))
    ran = run_up(tiny_disk / "home")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "space" in ran.stderr or "room" in ran.stderr


def test_two_at_once_in_one_home(home: Path, base: Path) -> None:
    """The second says that the first is running; the first ends at SIGTERM, also while it still prepares."""
    environment = {**os.environ, "TROUPE_HOME": str(home), "TROUPE_PORT": "0", "TROUPE_BASE": ""}
    with subprocess.Popen([TROUPE, "up"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        deadline = time.monotonic() + 30
        while not (home / "demo").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "Another Troupe" in sentence_of(run_up(home, TROUPE_BASE=str(base)))
        first.send_signal(signal.SIGTERM)
        assert first.wait(20) == 130


def test_a_pepper_that_is_gone(home: Path, base: Path) -> None:
    """Every key of the table would be refused, and nobody would know why."""
    asyncio.run(_make_keys(home))
    (home / "keys" / "pepper").unlink()
    assert "TROUPE_KEY_PEPPER" in sentence_of(run_up(home, TROUPE_BASE=str(base), TROUPE_ENGINE_QUANTIZATION="none"))


def test_a_key_file_that_holds_no_key(home: Path, base: Path) -> None:
    """It is named, and what is in it is not shown."""
    (home / "keys").mkdir(parents=True)
    (home / "keys" / "admin").write_text("my own password\n")
    ran = run_up(home, TROUPE_BASE=str(base), TROUPE_ENGINE_QUANTIZATION="none")
    assert str(home / "keys" / "admin") in sentence_of(ran)
    assert "password" not in ran.stdout + ran.stderr


async def _make_keys(home: Path) -> Shown:
    settings = GatewaySettings(home=home)
    async with opened_books(settings) as (_, store):
        return await own_keys(settings, store)


async def test_keys_are_made_once_and_for_the_owner_s_eyes(tmp_path: Path) -> None:
    """The admin key is shown by the start that made it only, the chat key by each; the files are readable by nobody else."""
    first, second = await _make_keys(tmp_path), await _make_keys(tmp_path)
    assert first.chat.startswith("tr_")
    assert first.admin.startswith("tr_")
    assert (second.chat, second.admin) == (first.chat, "")
    for name in ("chat", "evaluate", "admin", "pepper"):
        assert (tmp_path / "keys" / name).stat().st_mode & 0o077 == 0
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0


async def test_keys_that_are_set_are_not_made(tmp_path: Path) -> None:
    """Nor is an admin key shown that somebody chose."""
    settings = GatewaySettings(home=tmp_path, api_key=SecretStr("mine"), evaluate_key=SecretStr("too"), admin_key=SecretStr("also"))
    async with opened_books(settings) as (_, store):
        assert await own_keys(settings, store) == Shown("mine", "")
        assert await store.list() == ()
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["pepper"]
