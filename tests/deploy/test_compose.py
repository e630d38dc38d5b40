"""The compose files, against a schema of exactly the parts of the specification that they use (nothing else may slip in)."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from server.gateway.settings import GatewaySettings

DEPLOY = Path(__file__).parents[2] / "deploy"

STRINGS = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
VOLUME = {
    "oneOf": [
        {"type": "string", "pattern": r"^[a-z]+:/[\w/]+(:ro)?$"},
        {
            "type": "object",
            "required": ["type", "source", "target"],
            "additionalProperties": False,
            "properties": {
                "type": {"const": "bind"},
                "source": {"type": "string"},
                "target": {"type": "string"},
                "read_only": {"type": "boolean"},
            },
        },
    ]
}
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string", "pattern": r"^troupe-[a-z]+:\d+\.\d+\.\d+(-cpu|-gpu)?$"},
        "build": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"context": {"const": ".."}, "dockerfile": {"type": "string"}, "args": {"type": "object"}},
        },
        "environment": {"type": "object", "propertyNames": {"pattern": "^TROUPE_"}, "additionalProperties": {"type": "string"}},
        "ports": STRINGS,
        "networks": STRINGS,
        "profiles": STRINGS,
        "depends_on": STRINGS,
        "stop_grace_period": {"type": "string", "pattern": r"^\d+s$"},
        "tmpfs": STRINGS,
        "cap_drop": STRINGS,
        "security_opt": STRINGS,
        "volumes": {"type": "array", "items": VOLUME},
        "read_only": {"type": "boolean"},
        "init": {"type": "boolean"},
        "restart": {"enum": ["unless-stopped"]},
        "shm_size": {"type": "string"},
        "deploy": {"type": "object", "additionalProperties": False, "properties": {"resources": {"type": "object"}}},
    },
}
COMPOSE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["services"],
    "properties": {
        "name": {"type": "string"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "networks": {"type": "object"},
        "volumes": {"type": "object"},
    },
    "patternProperties": {"^x-": {}},
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return content


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_the_files_have_the_specified_shape(name: str) -> None:
    """Every field is one that the specification has where it stands."""
    content = yaml.safe_load((DEPLOY / name).read_text())
    jsonschema.Draft202012Validator(COMPOSE).validate(content)
    assert set(content["services"]) <= {"gateway", "engine", "bot"}


def test_references_resolve(compose: dict[str, Any]) -> None:
    """Networks, volumes and Dockerfiles that a service names are there."""
    for service in compose["services"].values():
        assert set(service["networks"]) <= set(compose["networks"])
        named = {volume.split(":")[0] for volume in service.get("volumes", []) if isinstance(volume, str)}
        assert named <= set(compose["volumes"])
        assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_the_engine_is_reached_through_the_gateway_only(compose: dict[str, Any]) -> None:
    """The engine publishes no port, and its only network is shared with the gateway alone and leads nowhere."""
    services = compose["services"]
    assert "ports" not in services["engine"]
    assert services["engine"]["networks"] == ["inside"]
    assert compose["networks"]["inside"] == {"internal": True}
    assert [name for name, service in services.items() if "inside" in service["networks"]] == ["gateway", "engine"]
    assert services["gateway"]["environment"]["TROUPE_ENGINE_URL"] == "http://engine:8001"


def test_the_gateway_is_published_to_this_machine_only(compose: dict[str, Any]) -> None:
    """Whoever wants it further puts a TLS proxy in front."""
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:8000:8000"]


def test_every_service_is_confined(compose: dict[str, Any]) -> None:
    """Read-only root, no capabilities, no way to more privileges."""
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_keys_come_from_outside_and_only_where_they_are_needed(compose: dict[str, Any]) -> None:
    """No key is written here, a missing one stops the start, and the engine and the bot see no key that is not theirs."""
    keys = {
        name: {key for key in service["environment"] if key.endswith(("_KEY", "_TOKEN"))} for name, service in compose["services"].items()
    }
    assert keys == {
        "gateway": {"TROUPE_API_KEY", "TROUPE_ADMIN_KEY", "TROUPE_ENGINE_API_KEY"},
        "engine": {"TROUPE_ENGINE_API_KEY"},
        "bot": {"TROUPE_API_KEY", "TROUPE_BOT_TOKEN"},
    }
    pepper = {name: service["environment"].get("TROUPE_KEY_PEPPER") for name, service in compose["services"].items()}
    assert pepper == {"gateway": "${TROUPE_KEY_PEPPER:-}", "engine": None, "bot": None}
    example = {line.partition("=")[0] for line in (DEPLOY / ".env.example").read_text().splitlines() if "=" in line}
    for service in compose["services"].values():
        for key, value in service["environment"].items():
            if key.endswith(("_KEY", "_TOKEN")):
                assert value.startswith(f"${{{key}:")
                assert key in example
    assert "TROUPE_KEY_PEPPER" in example


def test_the_engine_cannot_write_what_it_serves(compose: dict[str, Any]) -> None:
    """Adapters and base are mounted read-only in the engine; both sides see the same registry."""
    engine, gateway = (compose["services"][name]["volumes"] for name in ("engine", "gateway"))
    assert "registry:/var/lib/troupe/registry:ro" in engine
    assert "registry:/var/lib/troupe/registry" in gateway
    assert [volume["read_only"] for volume in engine + gateway if isinstance(volume, dict)] == [True, True]


def test_streams_may_finish_before_anything_is_killed(compose: dict[str, Any]) -> None:
    """Docker waits for the gateway longer than it drains, and stops the engine only after it."""
    gateway = compose["services"]["gateway"]
    assert int(gateway["stop_grace_period"].rstrip("s")) >= GatewaySettings.model_fields["drain_timeout"].default + 10
    assert gateway["depends_on"] == ["engine"]
