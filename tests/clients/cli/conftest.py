"""A stand-in gateway on a socket, and a shell beside it with a home of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clients.cli.shell import Shell
from tests.clients.stub_gateway import StubGateway, serving


@pytest.fixture
async def stub() -> AsyncIterator[StubGateway]:
    async with serving(StubGateway()) as running:
        yield running


@pytest.fixture
def shell(stub: StubGateway, tmp_path: Path) -> Shell:
    return Shell(stub.url, tmp_path)
