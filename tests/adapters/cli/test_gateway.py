"""The way through the gateway: what is sent, and what each failure of it says."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from adapters.cli.access import Access
from adapters.cli.admin_api import checked_url
from adapters.cli.errors import BadUsage
from adapters.cli.gateway import GatewayRegistrar
from adapters.cli.registrar import Upload
from adapters.settings import RegistrySettings
from clients.cli.main import main
from tests.adapters.cli.conftest import Troupe
from tests.adapters.cli.stub_gateway import KEY, error
from tests.adapters.registry.tiny import write_adapter

SETTINGS = RegistrySettings(Path("nowhere"), url="http://gateway.test", admin_key=KEY)


def run(answer: Callable[[httpx.Request], httpx.Response], *arguments: object, settings: RegistrySettings = SETTINGS) -> Result:
    access = Access(settings=lambda: settings, transport=httpx.MockTransport(answer))
    return CliRunner().invoke(main, list(map(str, arguments)), obj=access)


@pytest.mark.parametrize("troupe", ["gateway"], indirect=True)
def test_an_upload_is_a_form_with_exactly_the_two_files(troupe: Troupe) -> None:
    """Their bytes as they are; who and the documents only if they were given."""
    directory = troupe.adapter(1)
    troupe.publish(1)
    assert troupe.gateway is not None
    assert troupe.gateway.forms == [{"by": b"", **{file.name: file.read_bytes() for file in directory.iterdir()}}]
    assert troupe.gateway.asked == [("POST", "/admin/v1/communities/zizou/adapters", None)]


@pytest.mark.parametrize("troupe", ["gateway"], indirect=True)
def test_moves_are_the_admin_api_s(troupe: Troupe) -> None:
    """Paths and bodies, one request each."""
    troupe.publish(1, "--promote")
    troupe.publish(2, "--promote")
    assert troupe.gateway is not None
    troupe.gateway.asked.clear()
    troupe.run("canary", "zizou", 1, "--share", "5")
    troupe.run("promote", "zizou", 2, "--alias", "best")
    troupe.run("rollback", "zizou")
    troupe.run("canary", "zizou", "--off")
    troupe.run("retire", "zizou", 2)
    assert troupe.gateway.asked == [
        ("PUT", "/admin/v1/communities/zizou/aliases/canary", {"version": 1, "share": 5.0}),
        ("PUT", "/admin/v1/communities/zizou/aliases/best", {"version": 2}),
        ("POST", "/admin/v1/communities/zizou/rollback", {"alias": "live"}),
        ("DELETE", "/admin/v1/communities/zizou/aliases/canary", None),
        ("POST", "/admin/v1/communities/zizou/adapters/2/retire", None),
    ]


def test_progress_counts_every_byte_that_is_sent(tmp_path: Path) -> None:
    """Up to the size of both files, and never beyond."""
    directory = write_adapter(tmp_path / "a")
    told: list[tuple[int, int]] = []
    registrar = GatewayRegistrar("http://gateway.test", KEY, transport=httpx.MockTransport(lambda request: error(400, "No.")))
    with pytest.raises(Exception, match=r"^No\.$"):
        registrar.publish(Upload("zizou", directory), lambda done, total: told.append((done, total)))
    total = sum(file.stat().st_size for file in directory.iterdir())
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


@pytest.mark.parametrize(
    ("status", "param", "code"),
    [(400, "rank", 1), (400, None, 1), (400, "community", 2), (404, None, 5), (409, None, 1), (413, None, 1), (503, None, 1)],
)
def test_a_refusal_is_the_gateway_s_own_sentence(status: int, param: str | None, code: int) -> None:
    """As it is, with the exit code of its kind."""
    result = run(lambda request: error(status, "The engine answered nothing: train it longer.", param), "promote", "zizou", 2)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "troupe: The engine answered nothing: train it longer.\n")


def test_a_sentence_cannot_steer_the_terminal() -> None:
    """Control characters of what a gateway says are not passed on."""
    result = run(lambda request: error(409, "\x1b]0;title\x07No.\nThere."), "promote", "zizou", 2)
    assert result.stderr == "troupe: \ufffd]0;title\ufffdNo.\ufffdThere.\n"


def test_a_published_adapter_that_is_refused_as_live_stays_published(tmp_path: Path) -> None:
    """The person learns both, and programs see a failure."""
    manifest = {
        "community": "zizou", "version": 3, "digest": "sha256:" + "a" * 64, "base_fingerprint": "", "rank": 2, "alpha": 4,
        "target_modules": ["q_proj"], "dtype": "BF16", "size_bytes": 1, "published_by": "", "published_at": "", "state": "published",
    }  # fmt: skip

    def answer(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(201, json=manifest) if request.method == "POST" else error(409, "It answers as the base does: train it longer.")
        )

    result = run(answer, "publish", write_adapter(tmp_path / "a"), "--community", "zizou", "--promote", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "troupe: zizou@3 is published, but it is not live.\ntroupe: It answers as the base does: train it longer.\n"


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_code_4(status: int) -> None:
    """With where the right one is."""
    result = run(lambda request: error(status, "Incorrect API key provided."), "ls")
    assert (result.exit_code, "TROUPE_ADMIN_KEY" in result.stderr) == (4, True)


@pytest.mark.parametrize("key", ["", "tr_gehéim", "a\nb"])
def test_no_key_is_code_4_and_nothing_is_asked(key: str) -> None:
    """Nor is a key sent that no header can hold."""
    result = run(lambda request: pytest.fail("asked"), "ls", settings=replace(SETTINGS, admin_key=key))
    assert (result.exit_code, "TROUPE_ADMIN_KEY" in result.stderr) == (4, True)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, text="<html>"),
        httpx.Response(200, text="hello"),
        httpx.Response(307, headers={"location": "http://elsewhere.test/"}),
        httpx.Response(200, json={"data": []}),
        httpx.Response(200, json=[1]),
        httpx.Response(200, json={"communities": [{"community": "../admin"}]}),
        httpx.Response(502, json={"error": "upstream"}),
    ],
)
def test_what_is_no_gateway_is_said_to_be_none(answer: httpx.Response) -> None:
    """Another server, an older gateway, a proxy: a sentence with the address, and no path is made of what it says."""
    result = run(lambda request: answer, "ls")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "http://gateway.test" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("failure", "code", "hint"),
    [
        (httpx.ConnectError("refused"), 3, "No Troupe gateway answers at http://gateway.test"),
        (httpx.ConnectTimeout("slow"), 3, "No Troupe gateway answers"),
        (httpx.ReadTimeout("silent"), 1, "was silent for 300 s"),
        (httpx.ReadError("reset"), 1, "broke"),
        (httpx.RemoteProtocolError("cut"), 1, "broke"),
    ],
)
def test_a_gateway_that_fails_is_one_sentence(failure: Exception, code: int, hint: str) -> None:
    """A move whose answer was lost may have been made: the sentence says how to find out."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise failure

    result = run(answer, "promote", "zizou", 1)
    assert (result.exit_code, hint in result.stderr, result.stderr.count("\n")) == (code, True, 1)


def test_a_certificate_that_is_not_trusted_is_said() -> None:
    """Somebody is there: it is not a gateway that does not run."""

    def refuse(request: httpx.Request) -> httpx.Response:
        doubt = ssl.SSLCertVerificationError(1, "certificate verify failed")
        doubt.verify_message = "self-signed certificate"
        raise httpx.ConnectError("tls") from doubt

    result = run(refuse, "ls")
    assert (result.exit_code, "no safe connection" in result.stderr, "self-signed" in result.stderr) == (3, True, True)


def test_a_proxy_that_is_none_is_one_sentence() -> None:
    """It says which variables to look at."""
    result = CliRunner(env={"ALL_PROXY": "nonsense://x"}).invoke(main, ["ls"], obj=Access(settings=lambda: SETTINGS))
    assert (result.exit_code, "ALL_PROXY" in result.stderr, result.stderr.count("\n")) == (2, True, 1)


@pytest.mark.parametrize("url", ["http://me:secret@gateway.test", "http://gateway.test/?secret", "http://gateway.test#secret"])
def test_an_address_says_where_and_nothing_else(url: str) -> None:
    """A password would be sent in place of the key; whatever it was, it is not shown."""
    with pytest.raises(BadUsage, match="says more than an address") as caught:
        checked_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["gateway", "ftp://gateway.test", "http://", "http://[::1", "http://gateway.test:0", "http://a:b"])
def test_an_address_that_is_none_is_wrong_usage(url: str) -> None:
    """Nothing is asked."""
    result = run(lambda request: pytest.fail("asked"), "ls", settings=replace(SETTINGS, url=url))
    assert (result.exit_code, "TROUPE_URL" in result.stderr) == (2, True)


@pytest.mark.parametrize("url", ["http://gateway.test", "http://gateway.test/", "http://gateway.test/v1", "http://gateway.test/v1/"])
def test_an_address_may_be_the_openai_one(url: str) -> None:
    """As clients of the API are given it."""
    assert checked_url(url) == "http://gateway.test"


def test_a_refusal_in_the_middle_of_an_upload_is_read(tmp_path: Path) -> None:
    """A gateway that stops reading and closes is still heard, over a real socket."""
    directory = write_adapter(tmp_path / "a")
    with (directory / "adapter_model.safetensors").open("r+b") as file:
        file.truncate(32 << 20)
    body = b'{"error": {"message": "The adapter is too large.", "param": null}}'
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                head = (
                    f"HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
                )
                connection.sendall(head.encode() + body)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 20):
                    pass

        gateway = threading.Thread(target=refuse)
        gateway.start()
        settings = replace(SETTINGS, url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        access = Access(settings=lambda: settings)
        result = CliRunner().invoke(main, ["publish", str(directory), "--community", "zizou"], obj=access)
        gateway.join(30)
    assert (result.exit_code, result.stderr) == (1, "troupe: The adapter is too large.\n")
