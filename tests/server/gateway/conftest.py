"""One gateway for each module of tests, as new for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from adapters.registry import Base
from server.gateway.settings import GatewaySettings
from tests.server.gateway.stage import ADMIN_KEY, CHAT_KEY, EVALUATE_KEY, Stage, open_stage, read_tiny_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return read_tiny_base(tmp_path_factory.mktemp("base") / "small")


@pytest.fixture(scope="module")
def settings() -> GatewaySettings:
    """A module that needs other settings overrides this."""
    chat, evaluate, admin = (SecretStr(key) for key in (CHAT_KEY, EVALUATE_KEY, ADMIN_KEY))
    return GatewaySettings(api_key=chat, evaluate_key=evaluate, admin_key=admin, default_max_tokens=16)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_gateway(tmp_path_factory: pytest.TempPathFactory, base: Base, settings: GatewaySettings) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("g"), base, settings) as stage:
        yield stage


@pytest_asyncio.fixture
async def fresh(tmp_path: Path, base: Base, settings: GatewaySettings) -> AsyncIterator[Stage]:
    """One that no other test has touched, for those that move aliases."""
    async with open_stage(tmp_path, base, settings) as stage:
        yield stage


@pytest.fixture
def stage(open_gateway: Stage) -> Stage:
    open_gateway.reset()
    return open_gateway
