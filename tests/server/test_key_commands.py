"""`troupe keys`, run in this process against a gateway on a real port, or beside it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from adapters.cli.access import Access
from adapters.registry import Base
from adapters.settings import RegistrySettings
from server.gateway.settings import GatewaySettings
from server.key_commands import keys
from server.status import status
from tests.server.gateway.stage import ADMIN_KEY, CHAT_KEY, Stage, open_stage, read_tiny_base

ASK = {"model": "zizou", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return read_tiny_base(tmp_path_factory.mktemp("base") / "small")


@pytest.fixture
async def stage(tmp_path: Path, base: Base) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path, base, GatewaySettings(api_key=SecretStr(CHAT_KEY), admin_key=SecretStr(ADMIN_KEY))) as stage:
        yield stage


async def run(stage: Stage, *arguments: str, key: str = ADMIN_KEY) -> Result:
    """With --local there is no gateway for the command."""
    home, url = stage.scratch / "no-home", f"http://127.0.0.1:{stage.port}"
    if "--local" in arguments:
        home, url, key = stage.scratch.parent / "accounts-home", "http://127.0.0.1:9", ""
    settings = RegistrySettings(home, url=url, admin_key=key)
    return await asyncio.to_thread(CliRunner().invoke, keys, arguments, obj=Access(settings=lambda: settings))


async def said(stage: Stage, *arguments: str) -> str:
    ran = await run(stage, *arguments)
    assert ran.exit_code == 0, ran.output
    return ran.stdout


async def chats(stage: Stage, key: str) -> int:
    answer = await stage.http.post("/v1/chat/completions", json=ASK, headers={"authorization": f"Bearer {key}"})
    return answer.status_code


async def becomes(stage: Stage, key: str, status: int) -> None:
    """The gateway reads the table again and again."""
    async with asyncio.timeout(10):
        while await chats(stage, key) != status:  # noqa: ASYNC110 (the table is read by a clock)
            await asyncio.sleep(0.05)


def key_in(text: str) -> str:
    (key,) = re.findall(r"^  (tr_\S+)$", text, flags=re.MULTILINE)
    return str(key)


async def test_a_key_s_life_in_a_terminal(stage: Stage) -> None:
    """Made, shown once with what it is for, listed, replaced, revoked; a whole key is as good as its id."""
    made = await said(stage, "create", "the bot of zizou", "--community", "zizou", "--expires", "30d")
    assert "chat for zizou until 20" in made
    assert "TROUPE_API_KEY" in made
    first = key_in(made)
    assert await chats(stage, first) == 200

    listed = await said(stage, "list")
    assert re.search(r"id +name +scopes +communities +made +used +ends", listed)
    assert "the bot of zizou" in listed
    assert first not in listed

    replaced = await said(stage, "rotate", first.split("_")[1], "--overlap", "12h")
    second = key_in(replaced)
    assert "opens until 20" in replaced
    assert [await chats(stage, key) for key in (first, second)] == [200, 200]

    assert "is revoked" in await said(stage, "revoke", first)
    assert [await chats(stage, key) for key in (first, second)] == [401, 200]
    assert first.split("_")[1] not in await said(stage, "list")
    assert f"{first.split('_')[1]}" in await said(stage, "list", "--ended")


async def test_programs_read_json(stage: Stage) -> None:
    """Of every command, with the key in the answers that make one."""
    made = json.loads(await said(stage, "create", "all", "--all", "--scope", "chat", "--scope", "evaluate", "--json"))
    assert (made["scopes"], made["communities"], made["expires_at"]) == (["chat", "evaluate"], None, None)
    assert await chats(stage, made["key"]) == 200
    assert [key["id"] for key in json.loads(await said(stage, "list", "--json"))] == [made["id"]]
    rotated = json.loads(await said(stage, "rotate", made["id"], "--json"))
    assert rotated["replaces"]["id"] == made["id"]
    revoked = json.loads(await said(stage, "revoke", rotated["id"], "--json"))
    assert (revoked["opens"], "key" in revoked) == (False, False)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("create", "x"), 2, "--all"),
        (("create", "x", "--all", "--community", "zizou"), 2, "--all"),
        (("create", "x", "--all", "--scope", "root"), 2, "root"),
        (("create", "x", "--all", "--expires", "soon"), 2, "30d"),
        (("create", "x", "--all", "--expires", "30"), 2, "30d"),
        (("create", "x", "--all", "--expires", "11y"), 2, "expires_in"),
        (("create", "x\ny", "--all"), 2, "name"),
        (("create", "x", "--all", "--scope", "admin", "--scope", "chat"), 1, "make a second key"),
        (("create", "x", "--community", "Zizou"), 1, "Zizou"),
        (("rotate", "abcdefgh1234"), 5, "no key"),
        (("revoke", "abcdefgh1234"), 5, "no key"),
        (("revoke", "../status"), 2, "troupe keys list"),
    ],
)
async def test_what_cannot_be_is_one_sentence(stage: Stage, arguments: tuple[str, ...], exit_code: int, words: str) -> None:
    """On stderr, with the exit code that `troupe --help` promises; nothing is made."""
    ran = await run(stage, *arguments)
    assert (ran.exit_code, ran.stdout, words in ran.stderr) == (exit_code, "", True), ran.output
    assert await stage.keys.list() == ()


async def test_the_machine_itself_needs_no_key(stage: Stage) -> None:
    """On the database, beside a gateway that runs, which follows: made, listed, replaced, revoked."""
    made = json.loads(await said(stage, "create", "the bot", "--community", "zizou", "--expires", "30d", "--local", "--json"))
    assert (made["scopes"], made["communities"], made["opens"]) == (["chat"], ["zizou"], True)
    assert made["created_by"].endswith("on the gateway's machine")
    await becomes(stage, made["key"], 200)
    assert [key["id"] for key in json.loads(await said(stage, "list", "--local", "--json"))] == [made["id"]]

    second = key_in(await said(stage, "rotate", made["id"], "--overlap", "0s", "--local"))
    await becomes(stage, second, 200)
    await becomes(stage, made["key"], 401)

    assert "is revoked" in await said(stage, "revoke", second, "--local")
    await becomes(stage, second, 401)
    assert "No key opens here" in await said(stage, "list", "--local")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("create", "x", "--all", "--scope", "admin", "--scope", "chat"), 1, "make a second key"),
        (("create", "x", "--community", "Zizou"), 1, "Zizou"),
        (("create", "x", "--all", "--expires", "11y"), 2, "10 years"),
        (("revoke", "abcdefgh1234"), 5, "list --local"),
    ],
)
async def test_what_cannot_be_at_the_database_is_one_sentence(stage: Stage, arguments: tuple[str, ...], exit_code: int, words: str) -> None:
    """As through a gateway."""
    ran = await run(stage, *arguments, "--local")
    assert (ran.exit_code, ran.stdout, words in ran.stderr) == (exit_code, "", True), ran.output
    assert await stage.keys.list() == ()


async def test_a_key_that_may_not_is_code_4(stage: Stage) -> None:
    """In the gateway's words, or with what to set."""
    for key, words in ((CHAT_KEY, "not for admin calls"), ("nonsense", "keys/admin"), ("", "set TROUPE_ADMIN_KEY")):
        ran = await run(stage, "list", key=key)
        assert (ran.exit_code, words in ran.stderr) == (4, True), ran.output


async def test_no_gateway_is_code_3(stage: Stage) -> None:
    """And says that the database is another way."""
    settings = RegistrySettings(stage.scratch, url="http://127.0.0.1:9", admin_key=ADMIN_KEY)
    ran = await asyncio.to_thread(CliRunner().invoke, keys, ["list"], obj=Access(settings=lambda: settings))
    assert (ran.exit_code, "--local" in ran.stderr) == (3, True)


async def test_status_finds_the_key_of_this_machine(stage: Stage, tmp_path: Path) -> None:
    """Where `troupe up` keeps it."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "admin").write_text(ADMIN_KEY)
    environment = {"TROUPE_HOME": str(tmp_path), "TROUPE_ADMIN_KEY": "", "TROUPE_URL": f"http://127.0.0.1:{stage.port}"}
    ran = await asyncio.to_thread(CliRunner().invoke, status, [], env=environment)
    assert ran.output.startswith("engine  ready")
