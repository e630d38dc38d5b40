"""The registry behind a gateway: each verb is one request to its admin API."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

import httpx

from adapters.cli.adapter_files import FILES, CountedFile, check_files
from adapters.cli.admin_api import AdminApi
from adapters.cli.registrar import Damaged, Move, Published, Sent, Upload, Verdict
from adapters.registry.manifest import Manifest
from adapters.registry.names import CANARY, check_community
from adapters.registry.registry import Garbage, check_alias
from adapters.registry.snapshot import Pointer, Snapshot

MOVE_S, LONG_S = 300.0, 1800.0
"""Longest waits for an answer: a move, for which an engine may have to wake; an upload, and reading everything there is."""


class GatewayRegistrar:
    """The verbs, each one request. `transport` replaces the network, for tests."""

    tries = True

    def __init__(self, url: str, admin_key: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._api = AdminApi(url, admin_key, "troupe ls", local=True, transport=transport)

    def close(self) -> None:
        self._api.close()

    def snapshot(self, community: str | None = None) -> Snapshot:
        names = [check_community(community)] if community is not None else self._communities()
        versions: dict[str, Mapping[int, Manifest]] = {}
        aliases: dict[str, Mapping[str, Pointer]] = {}
        for name in names:
            content = self._api.ask("GET", f"/communities/{name}").content
            with self._api.shape():
                manifests = [Manifest.from_json(each) for each in content["adapters"]]
                versions[name] = {manifest.version: manifest for manifest in manifests}
                aliases[name] = {
                    alias: Pointer(int(each["version"]), float(each.get("share") or 0)) for alias, each in content["aliases"].items()
                }
        return Snapshot(versions=versions, aliases=aliases)

    def show(self, community: str, version: int) -> Manifest:
        return self._manifest(self._api.ask("GET", f"/communities/{check_community(community)}/adapters/{version}").content)

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
            answer = self._api.ask("POST", f"/communities/{community}/adapters", LONG_S, data={"by": upload.by, **form}, files=parts)
        return Published(self._manifest(answer.content), new=answer.status == HTTPStatus.CREATED)

    def promote(self, community: str, version: int, *, alias: str, override: str = "") -> Move:
        return self._put(community, alias, {"version": version, **_overridden(override)})

    def canary(self, community: str, version: int, *, share: float, override: str = "") -> Move:
        return self._put(community, CANARY, {"version": version, "share": share, **_overridden(override)})

    def clear(self, community: str, alias: str) -> None:
        self._api.ask("DELETE", f"/communities/{check_community(community)}/aliases/{check_alias(alias)}")

    def rollback(self, community: str, *, alias: str) -> Move:
        path = f"/communities/{check_community(community)}/rollback"
        return self._move(self._api.ask("POST", path, MOVE_S, json={"alias": check_alias(alias)}).content)

    def retire(self, community: str, version: int) -> Manifest:
        return self._manifest(self._api.ask("POST", f"/communities/{check_community(community)}/adapters/{version}/retire").content)

    def quarantine(self, community: str, version: int, reason: str) -> Manifest:
        path = f"/communities/{check_community(community)}/adapters/{version}/quarantine"
        return self._manifest(self._api.ask("POST", path, json={"reason": reason}).content)

    def gc(self) -> Garbage:
        content = self._api.ask("POST", "/gc", LONG_S).content
        with self._api.shape():
            return Garbage(tuple(map(str, content["removed"])), int(content["uploads"]))

    def verify(self) -> Verdict:
        content = self._api.ask("POST", "/verify", LONG_S).content
        with self._api.shape():
            return Verdict(int(content["checked"]), tuple(_damaged(each) for each in content["damaged"]))

    def _communities(self) -> list[str]:
        content = self._api.ask("GET", "/communities").content
        with self._api.shape():
            return [check_community(each["community"]) for each in content["communities"]]

    def _put(self, community: str, alias: str, pointer: Mapping[str, Any]) -> Move:
        path = f"/communities/{check_community(community)}/aliases/{check_alias(alias)}"
        return self._move(self._api.ask("PUT", path, MOVE_S, json=pointer).content)

    def _move(self, content: Any) -> Move:
        with self._api.shape():
            return Move(str(content["alias"]), float(content.get("share") or 0), Manifest.from_json(content["adapter"]))

    def _manifest(self, content: Any) -> Manifest:
        with self._api.shape():
            return Manifest.from_json(content)


def _overridden(override: str) -> dict[str, str]:
    """Left out where nobody overrides: a gateway from before there were gates has no such parameter."""
    return {"override": override} if override else {}


def _damaged(content: Any) -> Damaged:
    return Damaged(str(content["community"]), int(content["version"]), str(content["digest"]), str(content["reason"]))
