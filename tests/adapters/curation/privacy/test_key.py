"""The workspace's key."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.curation.privacy.errors import BrokenPeople
from adapters.curation.privacy.key import KEY_BYTES, Key, make_key, open_key


def test_a_key_is_made_once_and_read_afterwards(tmp_path: Path) -> None:
    """The second opening finds the first one's key, and no other file is left."""
    path = tmp_path / "people" / "key"
    first = open_key(path)
    assert len(first.secret) == KEY_BYTES
    assert open_key(path) == first
    assert [each.name for each in path.parent.iterdir()] == ["key"]


def test_nobody_else_may_read_the_key(tmp_path: Path) -> None:
    """It is made with mode 0600, and one that others could read is closed to them."""
    path = tmp_path / "key"
    open_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    open_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_those_who_make_it_at_once_agree(tmp_path: Path) -> None:
    """Of many processes that start together, one makes the key and all have the same."""
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: open_key(tmp_path / "key").secret, range(32)))
    assert len(keys) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * (KEY_BYTES + 1)])
def test_a_broken_key_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A key that is cut or grown is refused and left as it is: a new one would forget everybody's no."""
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(BrokenPeople, match="backup"):
        open_key(path)
    assert path.read_bytes() == content


def test_the_secret_is_not_shown() -> None:
    """Neither in a log of the object nor in a traceback that prints it."""
    key = make_key()
    assert key.secret.hex() not in repr(key)
    assert str(key.secret) not in repr(key)


def test_purposes_are_apart() -> None:
    """The digest of one purpose says nothing about another's, even where their words could run together."""
    key = Key(b"k" * KEY_BYTES)
    assert key.digest("a", "bc") != key.digest("ab", "c")
    assert key.digest("a", "b") == Key(b"k" * KEY_BYTES).digest("a", "b") != make_key().digest("a", "b")
