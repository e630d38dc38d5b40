"""The Kubernetes base: against the schemas of the API itself, offline, and against what we promise about it."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from server.gateway.settings import GatewaySettings

BASE = Path(__file__).parents[2] / "deploy" / "kubernetes" / "base"
VERSIONS = ("1.30", "1.34")


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


KUSTOMIZATION = documents(BASE / "kustomization.yaml")[0]
RESOURCES = [document for name in KUSTOMIZATION["resources"] for document in documents(BASE / name)]


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [r for r in RESOURCES if r["kind"] == kind and r["metadata"]["name"] == name]
    return found


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = named("Deployment", name)["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    (only,) = pod(name)["containers"]
    found: dict[str, Any] = only
    return found


both_pods = pytest.mark.parametrize("name", ["gateway", "engine"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: f"{r['kind']}-{r['metadata']['name']}")
def test_the_api_accepts_every_resource(resource: dict[str, Any], version: str) -> None:
    """Every field is one that the API has, of the type that it has, in old and new clusters."""
    kubernetes_validate.validate(resource, version, strict=True)
    assert resource["apiVersion"]


def test_the_check_catches_a_misspelt_field() -> None:
    """The schema check is strict: a field that does not exist is an error."""
    wrong = {**RESOURCES[0], "metadata": {**RESOURCES[0]["metadata"], "lables": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_every_file_is_part_of_the_base() -> None:
    """A file that lies in the folder and is not listed would silently not be deployed."""
    assert sorted(KUSTOMIZATION["resources"]) == sorted(path.name for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml")
    assert {r["apiVersion"] for r in RESOURCES} <= {"v1", "apps/v1", "networking.k8s.io/v1"}


def test_images_have_tags_that_kustomize_sets() -> None:
    """No image is `latest`, and each can be pointed at one's own registry in one place."""
    images = {container(name)["image"] for name in ("gateway", "engine")}
    assert all(re.fullmatch(r"troupe-(gateway|engine):\d+\.\d+\.\d+(-gpu)?", image) for image in images)
    assert {f"{image['name']}:{image['newTag']}" for image in KUSTOMIZATION["images"]} == images


@both_pods
def test_pods_meet_the_restricted_standard(name: str) -> None:
    """Not root, no capabilities, no escalation, default seccomp, read-only root, no token: what the namespace enforces, and more."""
    assert named("Namespace", "troupe")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    context = pod(name)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["fsGroup"] == 10001
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(name)["automountServiceAccountToken"] is False
    assert named("ServiceAccount", pod(name)["serviceAccountName"])["automountServiceAccountToken"] is False
    confined = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert container(name)["securityContext"] == confined


@both_pods
def test_services_set_no_settings(name: str) -> None:
    """Variables that Kubernetes derives from Services are off: `TROUPE_ENGINE_PORT` must never be an address."""
    assert pod(name)["enableServiceLinks"] is False


@both_pods
def test_mounts_volumes_and_claims_agree(name: str) -> None:
    """Every mount has its volume and every claim exists; what is written besides is an emptyDir with a limit."""
    volumes = {volume["name"]: volume for volume in pod(name)["volumes"]}
    assert {mount["name"] for mount in container(name)["volumeMounts"]} == set(volumes)
    for volume in volumes.values():
        if "persistentVolumeClaim" in volume:
            assert named("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
        else:
            assert volume["emptyDir"]["sizeLimit"]


def test_the_engine_cannot_write_what_it_serves() -> None:
    """Base and adapters are read-only in the engine, as mounts and as claims."""
    mounts = {mount["name"]: mount for mount in container("engine")["volumeMounts"]}
    claims = [volume["persistentVolumeClaim"] for volume in pod("engine")["volumes"] if "persistentVolumeClaim" in volume]
    assert mounts["base"]["readOnly"] is mounts["registry"]["readOnly"] is True
    assert {claim["claimName"] for claim in claims if not claim.get("readOnly")} == {"compiled"}


def test_what_the_engine_compiled_outlives_its_pod() -> None:
    """The next pod finds it on a volume of its own, where the engine is told to keep it."""
    folder = {variable["name"]: variable.get("value") for variable in container("engine")["env"]}["TROUPE_ENGINE_COMPILE_CACHE"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container("engine")["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod("engine")["volumes"]}
    assert folder
    assert "persistentVolumeClaim" in volumes[mounts[folder]]


@both_pods
def test_probes_and_services_meet_the_container(name: str) -> None:
    """Probes ask a port that the container names; the Service has the pod's labels, and the engine ten minutes to start."""
    (port,) = container(name)["ports"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(name)[probe]["httpGet"]["port"] == port["name"]
    service, deployment = named("Service", name)["spec"], named("Deployment", name)["spec"]
    assert service["selector"] == deployment["selector"]["matchLabels"] == deployment["template"]["metadata"]["labels"]
    assert service["ports"][0]["targetPort"] == port["name"]
    assert "type" not in service
    startup = container("engine")["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 600


def test_streams_may_finish_before_the_gateway_is_killed() -> None:
    """The pod is given longer to end than the gateway takes to drain."""
    assert pod("gateway")["terminationGracePeriodSeconds"] >= GatewaySettings.model_fields["drain_timeout"].default + 10


def test_an_engine_that_is_away_takes_no_gateway_out_of_service() -> None:
    """Callers hear from the gateway why they get no answer, instead of nobody answering."""
    assert container("gateway")["readinessProbe"]["httpGet"]["path"] == "/health/live"


def test_the_engine_hears_the_gateway_only() -> None:
    """Everything is denied first; the engine's one policy admits the gateway and lets nothing out."""
    deny, engine, gateway = (named("NetworkPolicy", name)["spec"] for name in ("default-deny", "engine", "gateway"))
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    gateway_labels = {"podSelector": named("Deployment", "gateway")["spec"]["selector"]}
    assert engine["podSelector"] == named("Deployment", "engine")["spec"]["selector"]
    assert engine["ingress"] == [{"from": [gateway_labels], "ports": [{"protocol": "TCP", "port": 8001}]}]
    assert "egress" not in engine
    assert {"podSelector": engine["podSelector"]} in [peer for rule in gateway["egress"] for peer in rule["to"]]
    variables = {variable["name"]: variable.get("value") for variable in container("gateway")["env"]}
    assert variables["TROUPE_ENGINE_URL"] == f"http://{named('Service', 'engine')['metadata']['name']}:8001"


def test_no_secret_is_in_the_repository() -> None:
    """Keys come from a Secret that is referenced and not included, and the engine gets only its own."""
    assert not [r for r in RESOURCES if r["kind"] == "Secret"]
    keys = {
        name: [v["valueFrom"]["secretKeyRef"]["key"] for v in container(name)["env"] if "valueFrom" in v] for name in ("gateway", "engine")
    }
    assert keys == {"gateway": ["api-key", "admin-key", "key-pepper", "engine-key"], "engine": ["engine-key"]}
    assert not re.search("KEY|TOKEN|PEPPER", " ".join(named("ConfigMap", "troupe-settings")["data"]))


def test_kustomize_builds_what_the_files_say() -> None:
    """Where kubectl is installed its kustomize gives every resource, all within the namespace; elsewhere names alone are compared."""
    kubectl = shutil.which("kubectl")
    built = RESOURCES
    if kubectl is not None:
        output = subprocess.run([kubectl, "kustomize", str(BASE)], capture_output=True, text=True, check=True, timeout=60).stdout
        built = [document for document in yaml.safe_load_all(output) if document]
        assert {r["metadata"].get("namespace") for r in built if r["kind"] != "Namespace"} == {"troupe"}
    assert sorted((r["kind"], r["metadata"]["name"]) for r in built) == sorted((r["kind"], r["metadata"]["name"]) for r in RESOURCES)
