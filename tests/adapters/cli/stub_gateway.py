"""A stand-in gateway: the admin API as a transport of httpx, on a registry of its own and with no engine behind it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import httpx

from adapters.cli.registrar import Registrar, Upload
from adapters.registry.errors import BadName, Conflict, InvalidAdapter, RegistryError, UnknownModel

KEY = "tr_test_admin-key"
STATUSES: dict[type[RegistryError], int] = {UnknownModel: 404, Conflict: 409, BadName: 400, InvalidAdapter: 400}


def error(status: int, message: str, param: str | None = None) -> httpx.Response:
    """OpenAI's error shape."""
    return httpx.Response(status, json={"error": {"message": message, "type": "invalid_request_error", "param": param, "code": None}})


@dataclass
class StubGateway(httpx.BaseTransport):
    """`asked`: method, path and, where it was JSON, body of each request that it got."""

    registrar: Registrar
    uploads: Path
    """Where it puts the files of an upload."""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    forms: list[dict[str, bytes]] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        content = request.read()
        is_json = request.headers.get("content-type") == "application/json"
        self.asked.append((request.method, request.url.path, json.loads(content) if is_json else None))
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return error(401, "Incorrect API key provided.")
        try:
            return self._answer(request, content)
        except RegistryError as exc:
            return error(STATUSES[type(exc)], str(exc), exc.field if isinstance(exc, InvalidAdapter) else None)

    def _answer(self, request: httpx.Request, content: bytes) -> httpx.Response:
        prefix, *steps = request.url.path.removeprefix("/admin/v1/").split("/")
        routes: dict[tuple[str, str, int], Callable[..., httpx.Response]] = {
            ("GET", "communities", 0): self._communities,
            ("GET", "communities", 1): self._community,
            ("POST", "communities", 2): self._publish if steps[-1:] == ["adapters"] else self._rollback,
            ("GET", "communities", 3): self._show,
            ("POST", "communities", 4): self._retire if steps[-1:] == ["retire"] else self._quarantine,
            ("PUT", "communities", 3): self._put,
            ("DELETE", "communities", 3): self._clear,
            ("POST", "gc", 0): self._gc,
            ("POST", "verify", 0): self._verify,
        }
        return routes[request.method, prefix, len(steps)](steps, request, content)

    def _communities(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        snapshot = self.registrar.snapshot()
        return httpx.Response(200, json={"communities": [{"community": name} for name in snapshot.communities()]})

    def _community(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        snapshot = self.registrar.snapshot(steps[0])
        aliases = {alias: asdict(pointer) for alias, pointer in snapshot.pointers(steps[0]).items()}
        listed = [{**each.to_json()} for each in snapshot.manifests(steps[0])]
        for each in listed:
            del each["training"], each["report_card"]
        return httpx.Response(200, json={"community": steps[0], "aliases": aliases, "adapters": listed})

    def _show(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        return httpx.Response(200, json=self.registrar.show(steps[0], int(steps[2])).to_json())

    def _publish(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        parts = form(request.headers["content-type"], content)
        self.forms.append(parts)
        folder = self.uploads / str(len(self.forms))
        folder.mkdir(parents=True)
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            (folder / name).write_bytes(parts[name])
        documents = {name: json.loads(parts[name]) for name in ("training", "report_card") if name in parts}
        published = self.registrar.publish(
            Upload(steps[0], folder, by=parts.get("by", b"").decode(), **documents), lambda done, total: None
        )
        return httpx.Response(201 if published.new else 200, json=published.manifest.to_json())

    def _put(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        body = json.loads(content)
        if "share" in body:
            move = self.registrar.canary(steps[0], body["version"], share=body["share"], override=body.get("override", ""))
        else:
            move = self.registrar.promote(steps[0], body["version"], alias=steps[2], override=body.get("override", ""))
        return httpx.Response(200, json=move.to_json())

    def _clear(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        self.registrar.clear(steps[0], steps[2])
        return httpx.Response(204)

    def _rollback(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        return httpx.Response(200, json=self.registrar.rollback(steps[0], alias=json.loads(content)["alias"]).to_json())

    def _retire(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        return httpx.Response(200, json=self.registrar.retire(steps[0], int(steps[2])).to_json())

    def _quarantine(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        return httpx.Response(200, json=self.registrar.quarantine(steps[0], int(steps[2]), json.loads(content)["reason"]).to_json())

    def _gc(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        garbage = self.registrar.gc()
        return httpx.Response(200, json={"removed": list(garbage.removed), "uploads": garbage.uploads})

    def _verify(self, steps: list[str], request: httpx.Request, content: bytes) -> httpx.Response:
        verdict = self.registrar.verify()
        return httpx.Response(200, json={"checked": verdict.checked, "damaged": [asdict(each) for each in verdict.damaged]})


def form(content_type: str, content: bytes) -> dict[str, bytes]:
    """The parts of a multipart form by name; a file part's file must have that name too."""
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(f"content-type: {content_type}\r\n\r\n".encode() + content)
    parts = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        assert isinstance(name, str)
        assert part.get_filename() in (None, name)
        body = part.get_payload(decode=True)
        assert isinstance(body, bytes)
        parts[name] = body
    return parts
