"""The admin API of a running stack, as tests use it: what goes well returns its JSON, what does not comes back as it is."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.end_to_end.stack import ADMIN_KEY, Stack

FILES = ("adapter_config.json", "adapter_model.safetensors")
Json = dict[str, Any]


class Admin:
    """Blocks. One connection, kept open while the block lasts: what is timed is the server."""

    def __init__(self, stack: Stack) -> None:
        self._http = httpx.Client(base_url=f"{stack.url}/admin/v1", headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=120)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    def publish(self, community: str, adapter: Path) -> Json:
        """The manifest."""
        answer = self._http.post(f"/communities/{community}/adapters", files={name: (adapter / name).read_bytes() for name in FILES})
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    def point(self, community: str, version: int, *, alias: str = "live", share: float | None = None) -> httpx.Response:
        body = {"version": version} if share is None else {"version": version, "share": share}
        return self._http.put(f"/communities/{community}/aliases/{alias}", json=body)

    def promote(self, community: str, version: int) -> None:
        answer = self.point(community, version)
        assert answer.status_code == 200, answer.text

    def debut(self, community: str, adapter: Path) -> Json:
        """Publish an adapter and make it live; the manifest."""
        manifest = self.publish(community, adapter)
        self.promote(community, int(manifest["version"]))
        return manifest

    def rollback(self, community: str) -> httpx.Response:
        return self._http.post(f"/communities/{community}/rollback")

    def clear(self, community: str, alias: str) -> None:
        answer = self._http.delete(f"/communities/{community}/aliases/{alias}")
        assert answer.status_code == 204, answer.text

    def show(self, community: str) -> Json:
        answer = self._http.get(f"/communities/{community}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def live(self, community: str) -> Json:
        """The manifest of the version that is live."""
        shown = self.show(community)
        version = shown["aliases"]["live"]["version"]
        return next(dict(adapter) for adapter in shown["adapters"] if adapter["version"] == version)

    def verify(self) -> Json:
        answer = self._http.post("/verify")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())
