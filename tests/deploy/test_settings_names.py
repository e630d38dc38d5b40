"""Every variable that the deploy files set is one that some process reads: a misspelt setting is silently no setting."""

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from clients.discord_bot.settings import BotSettings
from deploy.runpod.settings import WorkerSettings
from server.engine.settings import EngineSettings
from server.gateway.settings import GatewaySettings

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.suffix in (".yaml", ".Dockerfile") or path.name in ("Dockerfile", ".env.example"))

OF_COMPOSE = {"TROUPE_BASE_DIR"}


def variables(settings: type[BaseSettings]) -> set[str]:
    prefix = settings.model_config.get("env_prefix", "")
    names = {f"{prefix}{name}".upper() for name in settings.model_fields}
    for field in settings.model_fields.values():
        alias = field.validation_alias
        names |= {choice for choice in getattr(alias, "choices", [alias]) if isinstance(choice, str)}
    return names


KNOWN = OF_COMPOSE | variables(GatewaySettings) | variables(EngineSettings) | variables(WorkerSettings) | variables(BotSettings)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_variables_are_settings(path: Path) -> None:
    """No deploy file names a TROUPE_ variable that nobody reads."""
    used = set(re.findall(r"\bTROUPE_[A-Z_]+", path.read_text()))
    assert used <= KNOWN, used - KNOWN
