"""What `troupe doctor` finds, what it says to do about it, and its exit code."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from clients.api import Status
from clients.cli.doctor.discord import MESSAGE_CONTENT, look_at_discord
from clients.cli.doctor.finding import Finding, Health, exit_code, ill, odd, well
from clients.cli.doctor.gateway import API, look_at_engine, look_at_models, look_at_version
from clients.cli.doctor.machine import look_at_clock, look_at_files
from clients.discord_bot.invitation import invitation
from tests.clients.cli.shell import Shell
from tests.clients.stub_gateway import StubGateway

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


async def test_all_is_well(stub: StubGateway, shell: Shell) -> None:
    """Exit code 0, a line for each thing, and how other programs find the gateway. The engine is not bothered."""
    result = await shell.run("doctor")
    assert result.exit_code == 0, result.output
    assert f"answers at {stub.url} in " in result.stdout
    assert "base, greybeards, zizou" in result.stdout
    assert f"OPENAI_BASE_URL={stub.url}/v1" in result.stdout
    assert "✗" not in result.stdout
    assert (stub.asked, stub.warmed) == ([], [])


async def test_a_model_is_asked_only_where_that_is_wanted(stub: StubGateway, shell: Shell) -> None:
    """A few tokens, and whether anything came."""
    assert "zizou said something after" in (await shell.run("doctor", "--ask", "zizou")).stdout
    assert stub.asked[0]["max_tokens"] == 16
    stub.answer = ""
    assert (await shell.run("doctor", "--ask", "zizou")).exit_code == 1
    assert (await shell.run("doctor", "--ask", "nobody")).exit_code == 5


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ({"url": "http://127.0.0.1:1"}, 3, "No Troupe gateway answers at http://127.0.0.1:1"),
        ({"url": "nowhere"}, 1, "TROUPE_URL is 'nowhere'"),
        ({"key": None}, 4, "Set TROUPE_API_KEY"),
        ({"key": "wrong"}, 4, "does not accept this key"),
    ],
)
async def test_the_exit_code_is_that_of_a_command_which_fails_so(
    stub: StubGateway, shell: Shell, how: dict[str, str | None], code: int, said: str
) -> None:
    """With the sentence, and the key nowhere."""
    result = await shell.run("doctor", url=how.get("url"), key=how.get("key", "tr_test_key"))
    assert (result.exit_code, said in result.stdout) == (code, True), result.output
    assert "wrong" not in result.output
    assert result.stderr == ""


async def test_programs_are_told_the_same(stub: StubGateway, shell: Shell) -> None:
    """A JSON list of what was looked at."""
    stub.ready = (503, {"ready": False, "engine": "failed", "reason": "the engine does not start"})
    result = await shell.run("doctor", "--json")
    found = {each["what"]: each for each in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert (found["engine"]["health"], found["gateway"]["health"], found["Discord"]["health"]) == ("ill", "well", "skipped")
    assert "the engine does not start" in found["engine"]["said"]
    assert "troupe status" in found["engine"]["fix"]


async def test_a_settings_file_that_others_may_read_is_named(stub: StubGateway, shell: Shell) -> None:
    """With what to run."""
    config = shell.home / "config" / "troupe" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('api_key = "tr_test_key"')
    result = await shell.run("doctor", key=None)
    assert (result.exit_code, f"chmod 600 {config}" in result.stdout) == (1, True)
    config.chmod(0o600)
    assert f"from {config}" in (await shell.run("doctor", key=None)).stdout


async def test_a_key_for_another_address_is_told_from_none(stub: StubGateway, shell: Shell) -> None:
    """The person learns why it is not used."""
    config = shell.home / "config" / "troupe" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('url = "http://elsewhere"\napi_key = "tr_test_key"')
    config.chmod(0o600)
    result = await shell.run("doctor", key=None)
    assert (result.exit_code, "is for http://elsewhere" in result.stdout) == (4, True)


def test_files_that_others_may_read_are_named(tmp_path: Path) -> None:
    """Keys, and what was typed in chats."""
    assert look_at_files(tmp_path).health is Health.SKIPPED
    (tmp_path / "keys").mkdir()
    for name, mode in (("keys/chat", 0o600), ("keys/admin", 0o640), ("chat_history", 0o600)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    found = look_at_files(tmp_path)
    assert (found.health, found.fix) == (Health.ILL, f"Run: chmod 600 {tmp_path}/keys/admin")
    (tmp_path / "keys" / "admin").chmod(0o600)
    assert look_at_files(tmp_path) == well("private files", f"3 in {tmp_path}, the owner's alone")


@pytest.mark.parametrize(
    ("ahead", "health"), [(0, Health.WELL), (59, Health.WELL), (-60, Health.WELL), (61, Health.ILL), (-7200, Health.ILL)]
)
def test_clocks_may_differ_by_a_minute(ahead: int, health: Health) -> None:
    """Further apart, it is said which way."""
    found = look_at_clock(NOW, NOW + timedelta(seconds=ahead))
    assert found.health is health
    if health is Health.ILL:
        assert ("ahead of" if ahead > 0 else "behind") in found.said
    assert look_at_clock(None, NOW).health is Health.SKIPPED


def test_versions_that_differ_are_odd_and_no_failure() -> None:
    """A server that does not tell its own is not blamed."""
    assert look_at_version(API, "0.1.0").health is Health.WELL
    assert look_at_version("v2", "0.1.0").health is Health.ODD
    assert look_at_version(None, "0.1.0").health is Health.SKIPPED


def test_an_engine_that_sleeps_is_well() -> None:
    """The next request wakes it; another server's engine is nobody's business."""
    assert look_at_engine(Status(True, {"engine": "asleep"})) == well("engine", "asleep; the next request wakes it")
    assert look_at_engine(Status(False, {"engine": "failed"})).health is Health.ILL
    assert look_at_engine(Status(True, {})).health is Health.SKIPPED
    assert look_at_models([]).health is Health.ODD


def test_the_first_that_is_ill_gives_the_exit_code() -> None:
    """What is only odd is none."""
    assert exit_code([well("a", ""), odd("b", "", "")]) == 0
    assert exit_code([odd("b", "", ""), ill("c", "", "", 4), ill("d", "", "", 3)]) == 4


Answer = Callable[[httpx.Request], httpx.Response]


def _discord(flags: int = MESSAGE_CONTENT, servers: int | None = 2) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] != "Bot good.token":
            return httpx.Response(401, json={"message": "401: Unauthorized", "code": 0})
        if request.url.path.endswith("/users/@me"):
            return httpx.Response(200, json={"id": "5", "username": "zizou-bot", "bot": True})
        return httpx.Response(200, json={"id": "42", "flags": flags, "approximate_guild_count": servers})

    return answer


TOKEN = "good.token"


async def _looked(answer: Answer, token: str | None = TOKEN) -> list[Finding]:
    return await look_at_discord(token, httpx.MockTransport(answer))


async def test_a_good_bot_is_well() -> None:
    """Either flag of the intent will do."""
    assert [each.health for each in await _looked(_discord())] == [Health.WELL] * 3
    assert [each.health for each in await _looked(_discord(flags=1 << 19))] == [Health.WELL] * 3


async def test_without_a_token_nobody_is_asked() -> None:
    """Who runs no bot has nothing to mend."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    assert [each.health for each in await _looked(refuse, None)] == [Health.SKIPPED]
    (found,) = await _looked(refuse, "tök\nen")
    assert found.health is Health.ILL
    assert "tök" not in found.said + found.fix


async def test_a_token_that_is_not_accepted_is_to_be_reset() -> None:
    """It is not shown."""
    (found,) = await _looked(_discord(), "bad.token")
    assert (found.health, "Reset Token" in found.fix) == (Health.ILL, True)
    assert "bad.token" not in found.said + found.fix


async def test_a_bot_that_may_not_read_is_told_where_to_switch_that_on() -> None:
    """At its own page of the portal."""
    found = (await _looked(_discord(flags=0)))[1]
    assert (found.health, "applications/42/bot" in found.fix) == (Health.ILL, True)


async def test_a_bot_that_is_nowhere_is_given_its_invitation() -> None:
    """The link that the bot itself gives: with the permissions that it needs and no more."""
    found = (await _looked(_discord(servers=0)))[2]
    assert found.health is Health.ODD
    assert parse_qs(found.fix.partition("?")[2]) == parse_qs(invitation(42).partition("?")[2])
    assert (await _looked(_discord(servers=None)))[2].health is Health.SKIPPED


@pytest.mark.parametrize(
    "response", [httpx.Response(429), httpx.Response(502), httpx.Response(200, text="<html>"), httpx.Response(200, json=[])]
)
async def test_a_discord_that_is_not_well_is_not_the_bots_fault(response: httpx.Response) -> None:
    """Later is the thing to do."""
    (found,) = await _looked(lambda _request: response)
    assert (found.health, "later" in found.fix) == (Health.ILL, True)


async def test_a_discord_that_cannot_be_reached_is_said() -> None:
    """In a sentence, without a stack trace."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    (found,) = await _looked(refuse)
    assert found.said == "does not answer"
