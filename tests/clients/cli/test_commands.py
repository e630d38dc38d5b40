"""`models`, `ask` and piped `chat`, from the command line to a stand-in gateway over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from click.testing import CliRunner, Result

from clients.cli.main import main
from tests.clients.stub_gateway import KEY, StubGateway, error_body, serving


@pytest.fixture
async def stub() -> AsyncIterator[StubGateway]:
    async with serving(StubGateway()) as running:
        yield running


async def _run(url: str, *args: str, stdin: str | bytes | None = None, key: str | None = KEY) -> Result:
    env = {"TROUPE_URL": url, "TROUPE_API_KEY": key}
    return await asyncio.to_thread(CliRunner().invoke, main, args, input=stdin, env=env)


async def test_models_prints_a_name_a_line_or_json(stub: StubGateway) -> None:
    """In the gateway's order."""
    assert (await _run(stub.url, "models")).stdout == "base\ngreybeards\nzizou\n"
    assert json.loads((await _run(stub.url, "models", "--json")).stdout) == ["base", "greybeards", "zizou"]


async def test_ask_prints_the_answer_and_sends_what_was_asked(stub: StubGateway) -> None:
    """Options become parameters; those not given are not sent."""
    result = await _run(stub.url, "ask", "zizou", "who won?", "--max-tokens", "9", "--seed", "4", "--system", "short")
    assert (result.exit_code, result.stdout) == (0, "offside, as ever \n")
    assert stub.asked[0]["messages"] == [{"role": "system", "content": "short"}, {"role": "user", "content": "who won?"}]
    assert (stub.asked[0]["max_tokens"], stub.asked[0]["seed"]) == (9, 4)
    assert "temperature" not in stub.asked[0]


@pytest.mark.parametrize("argument", [("-",), ()])
async def test_ask_reads_a_piped_question(stub: StubGateway, argument: tuple[str, ...]) -> None:
    """With `-` and without a question; bytes that are no text do not stop it."""
    result = await _run(stub.url, "ask", "zizou", *argument, stdin="wéll?\n".encode() + b"\xff")
    assert result.exit_code == 0
    assert stub.asked[0]["messages"][0]["content"] == "wéll?\n\ufffd"


async def test_ask_json_is_one_object_with_usage(stub: StubGateway) -> None:
    """The answer is not streamed and comes whole."""
    said = json.loads((await _run(stub.url, "ask", "zizou", "?", "--json")).stdout)
    assert said == {
        "text": "offside, as ever",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
        "model": "zizou",
        "request_id": "req-1",
    }


@pytest.mark.parametrize("args", [("ask", "zizou", ""), ("ask", "zizou", "?", "--temperature", "3"), ("ask",)])
async def test_wrong_usage_is_exit_code_2_and_asks_nothing(stub: StubGateway, args: tuple[str, ...]) -> None:
    """The gateway is not bothered."""
    assert (await _run(stub.url, *args)).exit_code == 2
    assert stub.asked == []


@pytest.mark.parametrize("command", [("models",), ("ask", "zizou", "?"), ("chat", "zizou")])
async def test_no_server_and_bad_keys_have_their_codes(stub: StubGateway, command: tuple[str, ...]) -> None:
    """3 without a gateway, 4 without a key or with a wrong one; one sentence each on stderr, nothing on stdout."""
    results = [
        (await _run("http://127.0.0.1:1", *command), 3, "make up"),
        (await _run(stub.url, *command, key=None), 4, "TROUPE_API_KEY"),
        (await _run(stub.url, *command, key="wrong"), 4, "does not accept"),
        (await _run("no-address", *command), 1, "TROUPE_URL"),
    ]
    for result, code, hint in results:
        assert result.exit_code == code
        assert hint in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""


@pytest.mark.parametrize("command", [("ask", "zizuo", "?"), ("chat", "zizuo")])
async def test_an_unknown_model_is_code_5_with_near_misses(stub: StubGateway, command: tuple[str, ...]) -> None:
    """The person reads the name that was meant."""
    result = await _run(stub.url, *command)
    assert (result.exit_code, "Did you mean `zizou`?" in result.stderr) == (5, True)


async def test_a_refusal_is_code_1_with_the_gateways_words(stub: StubGateway) -> None:
    """What the gateway says is what the person reads."""
    stub.failure = (503, error_body("All engines are busy.", "server_is_overloaded"), {})
    result = await _run(stub.url, "ask", "zizou", "?")
    assert (result.exit_code, result.stderr) == (1, "Error: All engines are busy.\n")


async def test_piped_chat_prints_answers_and_nothing_else(stub: StubGateway) -> None:
    """A line is a turn, the second turn carries the first, and slash commands speak on stderr."""
    result = await _run(stub.url, "chat", "zizou", stdin="one\n\n/model base\ntwo\n/reset\nthree")
    assert (result.exit_code, result.stdout) == (0, "offside, as ever \n" * 3)
    assert [body["model"] for body in stub.asked] == ["zizou", "base", "base"]
    assert [message["content"] for message in stub.asked[1]["messages"]] == ["one", "offside, as ever ", "two"]
    assert [message["content"] for message in stub.asked[2]["messages"]] == ["three"]
    assert "You talk to base." in result.stderr


async def test_piped_chat_ends_at_its_first_failure(stub: StubGateway) -> None:
    """A script sees the exit code instead of a missing line."""
    result = await _run(stub.url, "chat", "zizou", stdin="/model nobody\none\n")
    assert (result.exit_code, stub.asked) == (5, [])


async def test_a_pipe_sees_nothing_of_the_wait(stub: StubGateway) -> None:
    """However long the engine wakes, an answer is all that is written; and a pipe warms nothing, for its question is there already."""
    stub.waking = asyncio.Event()
    asyncio.get_running_loop().call_later(2.0, stub.waking.set)
    result = await _run(stub.url, "chat", "zizou", stdin="hello\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "offside, as ever \n", "")
    assert stub.warmed == []


async def test_a_server_that_cannot_be_warmed_is_talked_to_all_the_same(stub: StubGateway) -> None:
    """Any server of OpenAI's protocol will do."""
    stub.can_warm = False
    assert (await _run(stub.url, "ask", "zizou", "?")).stdout == "offside, as ever \n"
