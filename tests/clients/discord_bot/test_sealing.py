"""Keys at rest."""

import base64
import stat
from pathlib import Path

import pytest

from clients.discord_bot.errors import StateBroken
from clients.discord_bot.sealing import Sealer, state_key

KEY = "tr_4k2f9s0qa1xz_secret"


def test_a_sealed_key_opens_for_its_guild_alone() -> None:
    """Moved to another guild's row, changed in one bit, or with another secret it does not open; and it does not show."""
    sealer = Sealer(b"s" * 32)
    sealed = sealer.seal(1, KEY)
    assert sealer.open(1, sealed) == KEY
    assert KEY.encode() not in sealed
    assert sealer.seal(1, KEY) != sealed
    for wrong in (
        (sealer, 2, sealed),
        (Sealer(b"t" * 32), 1, sealed),
        (sealer, 1, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (sealer, 1, b""),
    ):
        with pytest.raises(StateBroken, match="Link again"):
            wrong[0].open(wrong[1], wrong[2])


def test_the_secret_is_made_once_and_its_owners_alone(tmp_path: Path) -> None:
    """The same at the next start, also where a copy made it readable."""
    path = tmp_path / "bot" / "key"
    secret = state_key(path)
    assert len(secret) == 32
    path.chmod(0o644)
    assert state_key(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["key"]


def test_a_broken_secret_is_said_and_not_replaced(tmp_path: Path) -> None:
    """With a new one no linked key would open any more."""
    path = tmp_path / "key"
    path.write_bytes(b"short")
    with pytest.raises(StateBroken, match="backup"):
        state_key(path)
    assert path.read_bytes() == b"short"


def test_a_given_secret_is_used_as_it_is(tmp_path: Path) -> None:
    """And no file is made; nonsense is refused without being shown."""
    assert state_key(tmp_path / "key", base64.b64encode(b"s" * 32).decode()) == b"s" * 32
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StateBroken, match="TROUPE_BOT_STATE_KEY") as caught:
        state_key(tmp_path / "key", "s3cret")
    assert "s3cret" not in str(caught.value)
