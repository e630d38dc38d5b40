"""`troupe` as a test calls it, on a registry in a folder of its own: directly, or through a stand-in gateway."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.cli.access import Access
from adapters.cli.local import local_registrar
from adapters.settings import RegistrySettings
from clients.cli.main import main
from tests.adapters.cli.stub_gateway import KEY, StubGateway
from tests.adapters.registry.tiny import write_adapter, write_base


@dataclass
class Troupe:
    """`access`: what the commands are given instead of the process's own environment and network."""

    folder: Path
    access: Access
    settings: RegistrySettings
    gateway: StubGateway | None = None

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(main, list(map(str, arguments)), obj=self.access)

    def json(self, *arguments: object) -> Any:
        """What a command that succeeds says to programs."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def adapter(self, number: int, **config: Any) -> Path:
        """A directory with an adapter that is another for each number from 1 to 60."""
        directory = self.folder / f"adapter-{number}"
        return directory if directory.exists() else write_adapter(directory, fill=bytes([number]), **config)

    def publish(self, number: int, *arguments: object, community: str = "zizou") -> Any:
        return self.json("publish", self.adapter(number), "--community", community, *arguments)


@pytest.fixture(params=["gateway", "local"])
def troupe(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Troupe]:
    """Both ways to a registry; what the commands say must not depend on which one it is."""
    settings = RegistrySettings(tmp_path / "home", base=str(write_base(tmp_path / "base")))
    if request.param == "local":
        yield Troupe(tmp_path, Access(settings=lambda: settings, listens=lambda url: False), settings)
        return
    remote = replace(settings, url="http://gateway.test", admin_key=KEY, base="", home=tmp_path / "elsewhere")
    with local_registrar(settings) as registrar:
        stub = StubGateway(registrar, tmp_path / "uploads")
        yield Troupe(tmp_path, Access(settings=lambda: remote, transport=stub), settings, stub)
