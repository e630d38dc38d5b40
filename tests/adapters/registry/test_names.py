import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.registry import BadName, engine_name, parse_model
from adapters.registry.names import ENGINE_NAME, ModelRef

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("zizou", ModelRef("zizou")),
        ("zizou@canary", ModelRef("zizou", alias="canary")),
        ("zizou@7", ModelRef("zizou", version=7)),
        ("zizou@live", ModelRef("zizou")),
    ],
)
def test_a_model_string_names_a_community_and_a_pointer(model: str, expected: ModelRef) -> None:
    """`zizou` is the live adapter, `@` adds an alias or a version."""
    assert parse_model(model) == expected
    assert parse_model(str(expected)) == expected


BAD = ["", "Zizou", "base", "-a", "a" * 64, "a/b", "../a", "a\n", "a\0b", "zizou@", "zizou@0", "zizou@7\n", "zizou@@1", "zizou@Live", "é"]


@pytest.mark.parametrize("model", BAD)
def test_anything_else_is_refused(model: str) -> None:
    """Paths, control characters, upper case and empty parts never become names."""
    with pytest.raises(BadName):
        parse_model(model)


def test_an_engine_name_carries_the_digest() -> None:
    """Other bytes, other name: the engine can never mix up two adapters' caches."""
    assert engine_name("zizou", DIGEST) == "zizou-" + "ab" * 8


@pytest.mark.parametrize("digest", ["sha256:AB", "sha256:" + "g" * 64, "sha256:" + "ab" * 32 + "\n", "../../x", "md5:" + "ab" * 32])
def test_a_string_that_is_no_digest_makes_no_engine_name(digest: str) -> None:
    """Digests are checked whole, in lower case, with their algorithm."""
    with pytest.raises(BadName):
        engine_name("zizou", digest)


@given(st.text())
def test_engine_names_hold_no_separators(name: str) -> None:
    """Whatever matches the engine-name pattern is safe as one folder name."""
    if ENGINE_NAME.fullmatch(name):
        assert not set(name) & set("/\\.\0\n ")
