"""What the settings file, the environment and options may say, which of them wins, and the sentences for what they may not."""

from pathlib import Path

import pytest

from clients.errors import BadKey, BadSettings
from clients.settings import config_path, read_bot_token, read_settings


def _file(folder: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    """An environment whose settings file says `text`."""
    path = folder / "troupe" / "config.toml"
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(mode)
    return {"XDG_CONFIG_HOME": str(folder)}


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment without a settings file."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "nothing")}


def test_an_empty_environment_means_this_machine(bare: dict[str, str]) -> None:
    """Without any variable the client talks to the default port, and asks for a key only when it needs one."""
    settings = read_settings(bare)
    assert settings.url == "http://127.0.0.1:8000"
    assert settings.home == Path("~/.local/share/troupe").expanduser()
    with pytest.raises(BadKey, match="TROUPE_API_KEY"):
        settings.chat_key()


def test_the_environment_is_read_and_its_keys_are_not_shown(bare: dict[str, str]) -> None:
    """A key never appears in the settings' repr."""
    settings = read_settings(bare | {"TROUPE_URL": "https://troupe.example/v1/", "TROUPE_API_KEY": "k1 ", "TROUPE_HOME": "/h"})
    assert (settings.url, settings.chat_key(), settings.home) == ("https://troupe.example", "k1", Path("/h"))
    assert "k1" not in repr(settings)


@pytest.mark.parametrize("url", ["http://me:secret@host", "http://host/?secret", "http://host/#secret"])
def test_an_address_says_where_and_nothing_else(bare: dict[str, str], url: str) -> None:
    """A password would be sent in place of the key; whatever it was, it is not shown."""
    with pytest.raises(BadSettings, match="TROUPE_URL says more than an address") as caught:
        read_settings(bare | {"TROUPE_URL": url})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("variable", ["TROUPE_HOME", "XDG_CONFIG_HOME"])
def test_the_home_of_nobody_is_one_sentence(bare: dict[str, str], variable: str) -> None:
    """It says which variable to set."""
    with pytest.raises(BadSettings, match=f"Set {variable} to a whole path"):
        read_settings(bare | {variable: "~no-such-person/x"})


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://h:port", "http://[::1"])
def test_an_address_that_is_none_is_refused_with_an_example(bare: dict[str, str], url: str) -> None:
    """The sentence names where it was said."""
    with pytest.raises(BadSettings, match="TROUPE_URL"):
        read_settings(bare | {"TROUPE_URL": url})
    with pytest.raises(BadSettings, match="--url"):
        read_settings(bare, url=url)


def test_the_file_is_weaker_than_the_environment_and_that_than_an_option(tmp_path: Path) -> None:
    """What none of them says is the default."""
    env = _file(tmp_path, 'url = "http://file"\nhome = "/file"')
    assert read_settings(env).url == "http://file"
    assert read_settings(env | {"TROUPE_URL": "http://env"}).url == "http://env"
    assert read_settings(env | {"TROUPE_URL": "http://env"}, url="http://option/v1").url == "http://option"
    assert read_settings(env).home == Path("/file")
    assert read_settings(env | {"TROUPE_HOME": "/env"}).home == Path("/env")


def test_the_files_key_goes_to_the_files_address_only(tmp_path: Path) -> None:
    """Whoever is talked to instead needs a key of its own; a key without an address is for any."""
    env = _file(tmp_path, 'url = "http://mine"\napi_key = "tr_mine"')
    assert read_settings(env).chat_key() == "tr_mine"
    with pytest.raises(BadKey, match="is for http://mine") as caught:
        read_settings(env, url="http://other").chat_key()
    assert "tr_mine" not in str(caught.value)
    assert read_settings(env | {"TROUPE_API_KEY": "tr_other"}, url="http://other").chat_key() == "tr_other"
    config_path(env).write_text('api_key = "tr_any"')
    assert read_settings(env, url="http://other").chat_key() == "tr_any"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_key_in_a_file_of_others_is_refused_with_what_to_run(tmp_path: Path, mode: int) -> None:
    """A file without a key may be anybody's."""
    env = _file(tmp_path, 'api_key = "tr_secret"', mode)
    with pytest.raises(BadSettings, match=f"chmod 600 {config_path(env)}") as caught:
        read_settings(env)
    assert "tr_secret" not in str(caught.value)
    config_path(env).write_text('url = "http://file"')
    assert read_settings(env).url == "http://file"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("url = ", "is not TOML"),
        ('apikey = "x"', "Is it 'api_key'"),
        ('colour = "red"', "Known: url, api_key, home"),
        ("url = 8000", 'Write it as url = "…"'),
        ('url = "nowhere"', "url in .*config.toml is 'nowhere'"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """It says what is wrong and where."""
    with pytest.raises(BadSettings, match=said):
        read_settings(_file(tmp_path, text))


def test_a_file_that_is_a_folder_is_one_sentence(tmp_path: Path) -> None:
    """Whatever the operating system says of it."""
    (tmp_path / "troupe" / "config.toml").mkdir(parents=True)
    with pytest.raises(BadSettings, match="cannot be read"):
        read_settings({"XDG_CONFIG_HOME": str(tmp_path)})


def test_colour_is_off_where_the_environment_says_so(bare: dict[str, str]) -> None:
    """NO_COLOR, as https://no-color.org has it, and terminals that know none."""
    assert read_settings(bare | {"TERM": "xterm"}).colour
    assert not read_settings(bare | {"TERM": "xterm", "NO_COLOR": "1"}).colour
    assert not read_settings(bare | {"TERM": "dumb"}).colour


def test_the_bots_token_is_the_environments() -> None:
    """An empty one is none."""
    assert read_bot_token({"TROUPE_BOT_TOKEN": " abc "}) == "abc"
    assert read_bot_token({"TROUPE_BOT_TOKEN": ""}) is None
