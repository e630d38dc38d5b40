"""Which way a command takes to a registry: through the gateway, or directly. Decides, and opens; knows no command."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from adapters.cli.admin_api import checked_url, is_local
from adapters.cli.errors import BadKey
from adapters.cli.gateway import GatewayRegistrar
from adapters.cli.local import local_registrar
from adapters.cli.registrar import Registrar
from adapters.settings import RegistrySettings, read_settings

DEFAULT_URL = "http://127.0.0.1:8000"
PROBE_S = 2.0


class Way(Enum):
    GATEWAY = auto()
    LOCAL = auto()
    """As the person asked."""
    FALLBACK = auto()
    """Directly, because nobody named a gateway and none is there."""


def way_to(settings: RegistrySettings, *, local: bool, listens: Callable[[str], bool]) -> Way:
    """A gateway that somebody named must answer; the default one may be missing."""
    if local:
        return Way.LOCAL
    return Way.GATEWAY if settings.url or listens(DEFAULT_URL) else Way.FALLBACK


def listens(url: str) -> bool:
    """Whether anything takes connections at `url`."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=PROBE_S):
            return True
    except OSError:
        return False


@dataclass(frozen=True)
class Access:
    """How commands get their settings and their registry; a test hands in its own as click's `obj`."""

    settings: Callable[[], RegistrySettings] = read_settings
    listens: Callable[[str], bool] = listens
    local: Callable[[RegistrySettings], AbstractContextManager[Registrar]] = local_registrar
    transport: httpx.BaseTransport | None = None

    @contextmanager
    def open(self, *, local: bool, home: Path | None, overrides: Mapping[str, Any], note: Callable[[str], None]) -> Iterator[Registrar]:
        """A registry. `home` means the one in that folder; `overrides` are settings from options, for the way without a gateway;
        `note` is told, in a line, what the person could not expect. Raises CommandError or RegistryError."""
        settings = self.settings()
        if home is not None:
            settings = replace(settings, home=home, store_url="", database_url="")
        way = way_to(settings, local=local or home is not None, listens=self.listens)
        if way is Way.GATEWAY:
            if overrides:
                note("The gateway checks adapters against the base that it serves: --base, --quantization and --max-rank are not used.")
            url = checked_url(settings.url or DEFAULT_URL)
            registrar = GatewayRegistrar(url, admin_key(settings, url), transport=self.transport)
            try:
                yield registrar
            finally:
                registrar.close()
            return
        if way is Way.FALLBACK:
            note(f"No gateway is running: working on the registry in {settings.home}.")
        with self.local(replace(settings, **overrides)) as direct:
            yield direct


def admin_key(settings: RegistrySettings, url: str) -> str:
    """The key that is set, else the one that `troupe up` keeps in the home: that one is for this machine and is sent nowhere else."""
    if settings.admin_key or not is_local(url):
        return settings.admin_key
    kept = settings.home / "keys" / "admin"
    try:
        return kept.read_text(errors="replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise BadKey(f"The admin key in {kept} cannot be read ({exc.strerror}): set TROUPE_ADMIN_KEY, or mend its permissions.") from exc
