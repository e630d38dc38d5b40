"""What is refused before vLLM is even imported: one line, and exit code 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.registry.tiny import write_base


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("TROUPE_STORE_URL", "http://user:password@host/x", "TROUPE_STORE_URL"),
        ("TROUPE_ENGINE_CACHE", "{folder}/a-file/cache", "TROUPE_ENGINE_CACHE"),
        ("TROUPE_ENGINE_CACHE_GIB", "none", "cache_gib"),
        ("TROUPE_ENGINE_SOCKET", "{folder}/" + "x" * 108, "TROUPE_ENGINE_SOCKET"),
        ("TROUPE_BASE", "{folder}/nothing", "TROUPE_BASE"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence(tmp_path: Path, variable: str, value: str, named: str) -> None:
    """It names what to mend, repeats no password, and no half-started engine stays."""
    (tmp_path / "a-file").write_text("")
    inherited = {name: held for name, held in os.environ.items() if not name.startswith("TROUPE_")}
    told = {
        "TROUPE_BASE": str(write_base(tmp_path / "base")),
        "TROUPE_HOME": str(tmp_path / "home"),
        variable: value.format(folder=tmp_path),
    }
    command = [sys.executable, "-m", "server.engine"]
    refused = subprocess.run(command, env={**inherited, **told}, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2, refused.stderr[-2000:]
    sentence = refused.stderr.strip()
    assert "\n" not in sentence
    assert sentence.startswith("troupe-engine: ")
    assert named in sentence
    assert "password" not in sentence
