"""`models`, `ask` and piped `chat`, from the command line to a stand-in gateway over a real socket."""

import asyncio
import json
import os

import pytest

from tests.clients.cli.shell import Shell
from tests.clients.stub_gateway import StubGateway, error_body


async def test_models_prints_a_name_a_line_or_json(stub: StubGateway, shell: Shell) -> None:
    """In the gateway's order."""
    assert (await shell.run("models")).stdout == "base\ngreybeards\nzizou\n"
    assert json.loads((await shell.run("models", "--json")).stdout) == ["base", "greybeards", "zizou"]


async def test_models_long_tells_what_a_key_may_know(stub: StubGateway, shell: Shell) -> None:
    """Versions, canaries, how they were trained, whether the engine is up, and how other programs find the gateway; no key."""
    stub.ready = (200, {"ready": True, "engine": "asleep"})
    stub.told["zizou"] = {
        "adapter": "zizou@7",
        "renderer": "turns-1",
        "published_at": "2026-11-20T10:00:00+00:00",
        "canary": {"version": 8, "share": 10.0},
    }
    lines = (await shell.run("models", "--long")).stdout.splitlines()
    assert lines[3].split() == ["zizou", "zizou@7", "zizou@8", "(10", "%)", "2026-11-20", "turns-1"]
    assert lines[1].split() == ["base"]
    assert lines[-2:] == ["engine: asleep", f'other programs: export OPENAI_BASE_URL={stub.url}/v1 OPENAI_API_KEY="$TROUPE_API_KEY"']
    told = json.loads((await shell.run("models", "--long", "--json")).stdout)
    assert (told[2]["adapter"], told[2]["canary_share"], told[0]["adapter"]) == ("zizou@7", 10, None)


async def test_ask_prints_the_answer_and_sends_what_was_asked(stub: StubGateway, shell: Shell) -> None:
    """Options become parameters; those not given are not sent."""
    result = await shell.run("ask", "zizou", "who won?", "--max-tokens", "9", "--seed", "4", "--system", "short")
    assert (result.exit_code, result.stdout) == (0, "offside, as ever \n")
    assert stub.asked[0]["messages"] == [{"role": "system", "content": "short"}, {"role": "user", "content": "who won?"}]
    assert (stub.asked[0]["max_tokens"], stub.asked[0]["seed"]) == (9, 4)
    assert "temperature" not in stub.asked[0]


@pytest.mark.parametrize("argument", [("-",), ()])
async def test_ask_reads_a_piped_question(stub: StubGateway, shell: Shell, argument: tuple[str, ...]) -> None:
    """With `-` and without a question; bytes that are no text do not stop it."""
    result = await shell.run("ask", "zizou", *argument, stdin="wéll?\n".encode() + b"\xff")
    assert result.exit_code == 0
    assert stub.asked[0]["messages"][0]["content"] == "wéll?\n\ufffd"


async def test_what_is_piped_in_stands_below_the_question(stub: StubGateway, shell: Shell) -> None:
    """`git diff | troupe ask zizou "…"`: from a pipe and from a file, and bytes that are no text do not stop it."""
    assert (await shell.pipe("ask", "zizou", "what is this?", stdin=b"+ x = 1\n\xff")).exit_code == 0
    assert stub.asked[0]["messages"][0]["content"] == "what is this?\n\n+ x = 1\n\ufffd"
    (shell.home / "diff").write_text("- y\n")
    with (shell.home / "diff").open() as file:
        await shell.pipe("ask", "zizou", "and this?", stdin=file.fileno())
    assert stub.asked[1]["messages"][0]["content"] == "and this?\n\n- y\n"


async def test_a_question_stands_alone_where_nothing_is_piped_in(stub: StubGateway, shell: Shell) -> None:
    """An empty pipe and /dev/null, as a timer's jobs have it, add nothing."""
    null = os.open(os.devnull, os.O_RDONLY)
    await shell.pipe("ask", "zizou", "well?", stdin=null)
    os.close(null)
    await shell.pipe("ask", "zizou", "well?", stdin=b" \n")
    assert [body["messages"][0]["content"] for body in stub.asked] == ["well?", "well?"]


async def test_ask_json_is_one_object_with_usage(stub: StubGateway, shell: Shell) -> None:
    """The answer is not streamed and comes whole."""
    said = json.loads((await shell.run("ask", "zizou", "?", "--json")).stdout)
    assert said == {
        "text": "offside, as ever",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
        "model": "zizou",
        "request_id": "req-1",
        "adapter": None,
        "wake_seconds": None,
        "queue_seconds": None,
    }


@pytest.mark.parametrize("args", [("ask", "zizou", ""), ("ask", "zizou", "?", "--temperature", "3"), ("ask",)])
async def test_wrong_usage_is_exit_code_2_and_asks_nothing(stub: StubGateway, shell: Shell, args: tuple[str, ...]) -> None:
    """The gateway is not bothered."""
    assert (await shell.run(*args)).exit_code == 2
    assert stub.asked == []


@pytest.mark.parametrize("command", [("models",), ("ask", "zizou", "?"), ("chat", "zizou")])
async def test_no_server_and_bad_keys_have_their_codes(stub: StubGateway, shell: Shell, command: tuple[str, ...]) -> None:
    """3 without a gateway, 4 without a key or with a wrong one; one sentence each on stderr, nothing on stdout."""
    results = [
        (await shell.run(*command, url="http://127.0.0.1:1"), 3, "make up"),
        (await shell.run(*command, key=None), 4, "TROUPE_API_KEY"),
        (await shell.run(*command, key="wrong"), 4, "does not accept"),
        (await shell.run(*command, url="no-address"), 1, "TROUPE_URL"),
    ]
    for result, code, hint in results:
        assert result.exit_code == code
        assert hint in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""


@pytest.mark.parametrize("command", [("ask", "zizuo", "?"), ("chat", "zizuo")])
async def test_an_unknown_model_is_code_5_with_near_misses(stub: StubGateway, shell: Shell, command: tuple[str, ...]) -> None:
    """The person reads the name that was meant."""
    result = await shell.run(*command)
    assert (result.exit_code, "Did you mean `zizou`?" in result.stderr) == (5, True)


@pytest.mark.parametrize(
    ("variable", "value"), [("ALL_PROXY", "nonsense://127.0.0.1:1"), ("ALL_PROXY", "socks9://x"), ("SSL_CERT_FILE", "/no/such/file.pem")]
)
async def test_an_environment_that_no_connection_can_be_made_with_is_one_sentence(
    stub: StubGateway, shell: Shell, variable: str, value: str
) -> None:
    """It says which variables to look at. What is on this very machine needs none of them."""
    result = await shell.run("models", url="https://gateway.example", **{variable: value})
    assert (result.exit_code, variable in result.stderr, result.stderr.count("\n")) == (1, True, 1)
    assert (await shell.run("models", **{variable: value})).exit_code == 0


async def test_a_refusal_is_code_1_with_the_gateways_words(stub: StubGateway, shell: Shell) -> None:
    """What the gateway says is what the person reads."""
    stub.failure = (503, error_body("All engines are busy.", "server_is_overloaded"), {})
    result = await shell.run("ask", "zizou", "?")
    assert (result.exit_code, result.stderr) == (1, "Error: All engines are busy.\n")


async def test_piped_chat_prints_answers_and_nothing_else(stub: StubGateway, shell: Shell) -> None:
    """A line is a turn, the second turn carries the first, and slash commands speak on stderr."""
    result = await shell.run("chat", "zizou", stdin="one\n\n/model base\ntwo\n/reset\nthree")
    assert (result.exit_code, result.stdout) == (0, "offside, as ever \n" * 3)
    assert [body["model"] for body in stub.asked] == ["zizou", "base", "base"]
    assert [message["content"] for message in stub.asked[1]["messages"]] == ["one", "offside, as ever ", "two"]
    assert [message["content"] for message in stub.asked[2]["messages"]] == ["three"]
    assert "You talk to base." in result.stderr


async def test_piped_chat_ends_at_its_first_failure(stub: StubGateway, shell: Shell) -> None:
    """A script sees the exit code instead of a missing line."""
    result = await shell.run("chat", "zizou", stdin="/model nobody\none\n")
    assert (result.exit_code, stub.asked) == (5, [])


async def test_a_pipe_sees_nothing_of_the_wait(stub: StubGateway, shell: Shell) -> None:
    """However long the engine wakes, an answer is all that is written; and a pipe warms nothing, for its question is there already."""
    stub.waking = asyncio.Event()
    asyncio.get_running_loop().call_later(2.0, stub.waking.set)
    result = await shell.run("chat", "zizou", stdin="hello\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "offside, as ever \n", "")
    assert stub.warmed == []


async def test_a_server_that_cannot_be_warmed_is_talked_to_all_the_same(stub: StubGateway, shell: Shell) -> None:
    """Any server of OpenAI's protocol will do."""
    stub.can_warm = False
    assert (await shell.run("ask", "zizou", "?")).stdout == "offside, as ever \n"


async def test_piped_lines_may_come_from_several_people(stub: StubGateway, shell: Shell) -> None:
    """`/as` says who speaks; the answers on stdout stay bare."""
    result = await shell.run("chat", "zizou", "--as", "Ravi", stdin="who won?\n/as Nico\n/say not you\nright?\n")
    assert result.stdout == "offside, as ever \n" * 2
    assert stub.asked[1]["messages"] == [
        {"role": "user", "content": "Ravi: who won?"},
        {"role": "assistant", "content": "offside, as ever"},
        {"role": "user", "content": "Nico: not you\nNico: right?"},
    ]


async def test_an_answer_is_tried_again_or_taken_back(stub: StubGateway, shell: Shell) -> None:
    """`/retry` asks the same once more, `/undo` makes as if it never was."""
    await shell.run("chat", "zizou", stdin="one\ntwo\n/retry\n/undo\nthree\n")
    asked = [[message["content"] for message in body["messages"]] for body in stub.asked]
    assert asked[1] == asked[2] == ["one", "offside, as ever ", "two"]
    assert asked[3] == ["one", "offside, as ever ", "three"]


async def test_a_chat_is_saved_and_gone_on_with(stub: StubGateway, shell: Shell) -> None:
    """In the next session the model sees what was said in the last one."""
    file = shell.home / "chat.json"
    assert (await shell.run("chat", "zizou", stdin=f"one\n/save {file}\n")).exit_code == 0
    await shell.run("chat", "zizou", "--load", str(file), stdin="two\n")
    assert [message["content"] for message in stub.asked[1]["messages"]] == ["one", "offside, as ever ", "two"]
    again = await shell.run("chat", "zizou", stdin=f"one\n/save {file}\n")
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)


async def test_a_chat_survives_a_file_in_the_home_of_nobody(stub: StubGateway, shell: Shell) -> None:
    """Where somebody only mistyped a name, what was said is not lost: in a pipe it is the sentence that ends it."""
    result = await shell.run("chat", "zizou", stdin="hi\n/save ~no-such-person/chat.md\n")
    assert (result.exit_code, result.stderr.startswith("Error: Whose home ~no-such-person/chat.md begins with is not known")) == (1, True)


@pytest.mark.parametrize("stdin", ["", "/model zizou@99\nhi\n"])
async def test_a_version_that_is_none_is_not_talked_to(stub: StubGateway, shell: Shell, stdin: str) -> None:
    """It is told when it is chosen, and not as the answer to what somebody typed then."""
    stub.told["zizou@7"] = {}
    assert (await shell.run("chat", "zizou@7", stdin="hi\n")).exit_code == 0
    result = await shell.run("chat", "zizou" if stdin else "zizou@99", stdin=stdin)
    assert (result.exit_code, "You talk to" in result.stderr, len(stub.asked)) == (5, False, 1)


async def test_names_are_not_written_for_a_model_that_reads_them_otherwise(stub: StubGateway, shell: Shell) -> None:
    """The person is told, and may go on."""
    stub.told["zizou"] = {"renderer": "turns-99"}
    result = await shell.run("chat", "zizou", "--as", "Ravi", stdin="well?\n")
    assert (result.exit_code, "another form (turns-99" in result.stderr) == (0, True)
    stub.told["zizou"] = {"renderer": "turns-1"}
    assert (await shell.run("chat", "zizou", "--as", "Ravi", stdin="well?\n")).stderr == ""


async def test_an_option_is_stronger_than_the_environment(stub: StubGateway, shell: Shell) -> None:
    """And both than the settings file, which is enough by itself."""
    assert (await shell.run("models", "--url", stub.url, url="http://127.0.0.1:1")).exit_code == 0
    assert (await shell.run("models", "--url", "nowhere")).stderr == (
        "Error: --url is 'nowhere', which is not an address like http://127.0.0.1:8000.\n"
    )
    config = shell.home / "config" / "troupe" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'url = "{stub.url}"\napi_key = "tr_test_key"\n')
    refused = await shell.run("models", TROUPE_URL=None, key=None)
    assert (refused.exit_code, f"chmod 600 {config}" in refused.stderr) == (1, True)
    config.chmod(0o600)
    assert (await shell.run("models", TROUPE_URL=None, key=None)).stdout == "base\ngreybeards\nzizou\n"
