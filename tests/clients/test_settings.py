"""What the environment may say, and the sentences for what it may not."""

from pathlib import Path

import pytest

from clients.errors import BadKey, BadSettings
from clients.settings import read_settings


def test_an_empty_environment_means_this_machine() -> None:
    """Without any variable the client talks to the default port, and asks for a key only when it needs one."""
    settings = read_settings({})
    assert settings.url == "http://127.0.0.1:8000"
    assert settings.home == Path("~/.local/share/troupe").expanduser()
    with pytest.raises(BadKey, match="TROUPE_API_KEY"):
        settings.chat_key()


def test_the_environment_is_read_and_its_keys_are_not_shown() -> None:
    """A key never appears in the settings' repr."""
    settings = read_settings({"TROUPE_URL": "https://troupe.example/v1/", "TROUPE_API_KEY": "k1 ", "TROUPE_HOME": "/h"})
    assert (settings.url, settings.chat_key(), settings.home) == ("https://troupe.example", "k1", Path("/h"))
    assert "k1" not in repr(settings)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://h:port", "http://[::1"])
def test_an_address_that_is_none_is_refused_with_an_example(url: str) -> None:
    """The sentence names the variable."""
    with pytest.raises(BadSettings, match="TROUPE_URL"):
        read_settings({"TROUPE_URL": url})
