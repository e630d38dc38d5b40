"""The registry behind a gateway, through its admin API. The one place where httpx's errors become sentences.

Never repeats a request: whether to try again is the person's decision, and every verb may be given twice.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from adapters.cli.adapter_files import FILES, CountedFile, check_files
from adapters.cli.errors import BadKey, BadUsage, CommandError, NoGateway, NoSuchVersion, Refused
from adapters.cli.registrar import Damaged, Move, Published, Sent, Upload, Verdict
from adapters.registry.errors import BadName
from adapters.registry.manifest import Manifest
from adapters.registry.names import CANARY, check_community
from adapters.registry.registry import Garbage, check_alias
from adapters.registry.snapshot import Pointer, Snapshot

READ_S, MOVE_S, LONG_S = 30.0, 300.0, 1800.0
"""Longest waits for an answer: a question; a move, for which an engine may have to wake; an upload, and reading everything there is."""
CONNECT_S, SEND_S = 5.0, 60.0
NAMES = ("community", "version", "alias", "share", "by", "override")
"""The parameters whose refusal is wrong usage."""


@dataclass(frozen=True)
class Answer:
    status: int
    content: Any
    """The JSON; None where there is no body."""


class GatewayRegistrar:
    """The verbs, each one request. `transport` replaces the network, for tests."""

    tries = True

    def __init__(self, url: str, admin_key: str, *, transport: httpx.BaseTransport | None = None) -> None:
        if not (admin_key and admin_key.isascii() and admin_key.isprintable()):
            raise BadKey(
                "No admin key, or none that can be sent: set TROUPE_ADMIN_KEY to the gateway's (its TROUPE_HOME/keys/admin),"
                " or work on this machine's registry with --local."
            )
        self._url = url
        self._http = httpx.Client(
            base_url=f"{url}/admin/v1",
            headers={"authorization": f"Bearer {admin_key}"},
            transport=transport,
            trust_env=not is_local(url),  # a proxy of the environment must not stand before this very machine
        )

    def close(self) -> None:
        self._http.close()

    def snapshot(self, community: str | None = None) -> Snapshot:
        names = [check_community(community)] if community is not None else self._communities()
        versions: dict[str, Mapping[int, Manifest]] = {}
        aliases: dict[str, Mapping[str, Pointer]] = {}
        for name in names:
            content = self._ask("GET", f"/communities/{name}").content
            with self._shape():
                manifests = [Manifest.from_json(each) for each in content["adapters"]]
                versions[name] = {manifest.version: manifest for manifest in manifests}
                aliases[name] = {
                    alias: Pointer(int(each["version"]), float(each.get("share") or 0)) for alias, each in content["aliases"].items()
                }
        return Snapshot(versions=versions, aliases=aliases)

    def show(self, community: str, version: int) -> Manifest:
        return self._manifest(self._ask("GET", f"/communities/{check_community(community)}/adapters/{version}").content)

    def publish(self, upload: Upload, sent: Sent) -> Published:
        community = check_community(upload.community)
        check_files(upload.directory)
        total = done = 0

        def took(size: int) -> None:
            nonlocal done
            done += size
            sent(done, total)

        documents = {"training": upload.training, "report_card": upload.report_card}
        form = {name: json.dumps(content) for name, content in documents.items() if content is not None}
        with ExitStack() as stack:
            files = {name: stack.enter_context(CountedFile(upload.directory / name, took)) for name in FILES}
            total = sum(file.size for file in files.values())
            parts = {name: (name, file) for name, file in files.items()}
            answer = self._ask("POST", f"/communities/{community}/adapters", LONG_S, data={"by": upload.by, **form}, files=parts)
        return Published(self._manifest(answer.content), new=answer.status == HTTPStatus.CREATED)

    def promote(self, community: str, version: int, *, alias: str, override: str = "") -> Move:
        return self._put(community, alias, {"version": version, **_overridden(override)})

    def canary(self, community: str, version: int, *, share: float, override: str = "") -> Move:
        return self._put(community, CANARY, {"version": version, "share": share, **_overridden(override)})

    def clear(self, community: str, alias: str) -> None:
        self._ask("DELETE", f"/communities/{check_community(community)}/aliases/{check_alias(alias)}")

    def rollback(self, community: str, *, alias: str) -> Move:
        path = f"/communities/{check_community(community)}/rollback"
        return self._move(self._ask("POST", path, MOVE_S, json={"alias": check_alias(alias)}).content)

    def retire(self, community: str, version: int) -> Manifest:
        return self._manifest(self._ask("POST", f"/communities/{check_community(community)}/adapters/{version}/retire").content)

    def quarantine(self, community: str, version: int, reason: str) -> Manifest:
        path = f"/communities/{check_community(community)}/adapters/{version}/quarantine"
        return self._manifest(self._ask("POST", path, json={"reason": reason}).content)

    def gc(self) -> Garbage:
        content = self._ask("POST", "/gc", LONG_S).content
        with self._shape():
            return Garbage(tuple(map(str, content["removed"])), int(content["uploads"]))

    def verify(self) -> Verdict:
        content = self._ask("POST", "/verify", LONG_S).content
        with self._shape():
            return Verdict(int(content["checked"]), tuple(_damaged(each) for each in content["damaged"]))

    def _communities(self) -> list[str]:
        content = self._ask("GET", "/communities").content
        with self._shape():
            return [check_community(each["community"]) for each in content["communities"]]

    def _put(self, community: str, alias: str, pointer: Mapping[str, Any]) -> Move:
        path = f"/communities/{check_community(community)}/aliases/{check_alias(alias)}"
        return self._move(self._ask("PUT", path, MOVE_S, json=pointer).content)

    def _move(self, content: Any) -> Move:
        with self._shape():
            return Move(str(content["alias"]), float(content.get("share") or 0), Manifest.from_json(content["adapter"]))

    def _manifest(self, content: Any) -> Manifest:
        with self._shape():
            return Manifest.from_json(content)

    def _ask(self, method: str, path: str, seconds: float = READ_S, **body: Any) -> Answer:
        """A good answer. `seconds`: the longest silence. Raises CommandError for anything else."""
        timeout = httpx.Timeout(seconds, connect=CONNECT_S, write=SEND_S)
        with self._translated(seconds):
            response = self._http.request(method, path, timeout=timeout, **body)
        content = _json(response)
        if response.is_success and (content is not None or response.status_code == HTTPStatus.NO_CONTENT):
            return Answer(response.status_code, content)
        raise self._refusal(response.status_code, content)

    @contextmanager
    def _translated(self, seconds: float) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            raise NoGateway(
                f"No Troupe gateway answers at {self._url}: start it, set TROUPE_URL to where it is, or use --local on its machine."
            ) from exc
        except httpx.TimeoutException as exc:
            raise CommandError(f"{self._url} was silent for {seconds:g} s: look with `troupe ls` whether it was done.") from exc
        except httpx.RequestError as exc:
            raise CommandError(f"The connection to {self._url} broke: look with `troupe ls` whether it was done.") from exc

    def _refusal(self, status: int, content: Any) -> CommandError:
        """What an answer that is not a good one means. The gateway's own words are shown as they are."""
        error = content.get("error") if isinstance(content, dict) else None
        said = error.get("message") if isinstance(error, dict) else None
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return BadKey(
                f"{self._url} does not accept this admin key: set TROUPE_ADMIN_KEY to the gateway's (its TROUPE_HOME/keys/admin)."
            )
        if not isinstance(error, dict) or not isinstance(said, str):
            return Refused(f"What answers at {self._url} is not a Troupe gateway with this API (HTTP {status}): check TROUPE_URL.")
        if status == HTTPStatus.NOT_FOUND:
            return NoSuchVersion(said)
        if status == HTTPStatus.BAD_REQUEST and error.get("param") in NAMES:
            return BadUsage(said)
        return Refused(said)

    @contextmanager
    def _shape(self) -> Iterator[None]:
        """An answer whose JSON is of another shape than ours."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError, BadName) as exc:
            raise Refused(f"{self._url} answers in another shape ({exc!r}): is it another version of Troupe?") from exc


def _overridden(override: str) -> dict[str, str]:
    """Left out where nobody overrides: a gateway from before there were gates has no such parameter."""
    return {"override": override} if override else {}


def _damaged(content: Any) -> Damaged:
    return Damaged(str(content["community"]), int(content["version"]), str(content["digest"]), str(content["reason"]))


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def checked_url(url: str) -> str:
    """`url` without a trailing slash or `/v1`. Raises BadUsage if it is not an http address."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that never closes
        usable = False
    if not usable:
        raise BadUsage(f"TROUPE_URL is {url[:200]!r}, which is not an address like http://127.0.0.1:8000.")
    return url.rstrip("/").removesuffix("/v1")


def is_local(url: str) -> bool:
    """Whether `url` is this very machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")
