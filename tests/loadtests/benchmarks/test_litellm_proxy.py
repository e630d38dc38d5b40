"""How LiteLLM's proxy is called and configured. That it runs is seen where it is installed: in the benchmark."""

from pathlib import Path

import pytest
import yaml

from loadtests.benchmarks.litellm_proxy import KEY, Proxy
from loadtests.benchmarks.process import NotStarted


def test_it_serves_the_models_of_the_engine(tmp_path: Path) -> None:
    """Under their own names, with the engine's key towards the engine and its own towards callers; one worker."""
    proxy = Proxy.of(Path("/peers"), "http://127.0.0.1:7", "engine-key", ["base", "zizou"], tmp_path)
    content = yaml.safe_load((tmp_path / "litellm.yaml").read_text("utf-8"))
    assert [each["model_name"] for each in content["model_list"]] == ["base", "zizou"]
    assert content["model_list"][1]["litellm_params"] == {
        "model": "hosted_vllm/zizou", "api_base": "http://127.0.0.1:7/v1", "api_key": "engine-key",
    }  # fmt: skip
    assert content["general_settings"]["master_key"] == KEY
    assert proxy.python == Path("/peers/bin/python")
    assert proxy.arguments[0] == "/peers/bin/litellm"
    assert proxy.arguments[-2:] == ["--num_workers", "1"]


def test_one_that_ends_at_once_is_not_waited_for(tmp_path: Path) -> None:
    """As where it is not installed: here its interpreter is one that does nothing."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho no litellm here\n")
    python.chmod(0o755)
    proxy = Proxy.of(tmp_path, "http://127.0.0.1:7", "engine-key", ["base"], tmp_path)
    with proxy.started(tmp_path / "log", core=None) as process, pytest.raises(NotStarted, match="no litellm here"):
        proxy.wait(process)
