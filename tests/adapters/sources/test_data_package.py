import json
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.sources.exports import read


def package(
    root: Path,
    channels: dict[str, dict[str, Any]],
    *,
    messages: str = "messages",
    account: str = "account",
    csv: bool = False,
) -> Path:
    (root / account).mkdir(parents=True)
    (root / account / "user.json").write_text(json.dumps({"id": "7", "username": "ann", "global_name": "Ann"}))
    (root / messages).mkdir()
    (root / messages / "index.json").write_text(json.dumps(dict.fromkeys(channels)))
    (root / "activity").mkdir()
    (root / "activity" / "events.json").write_text('{"event_type": "x"}\n')
    for number, described in channels.items():
        folder = root / messages / f"c{number}"
        folder.mkdir()
        (folder / "channel.json").write_text(json.dumps({"id": number} | described))
        if csv:
            (folder / "messages.csv").write_text(
                f'ID,Timestamp,Contents,Attachments\n{number}1,2021-01-01 10:00:00.000000+00:00,"hi, ""you""\nthere",\n{number}2,2021-01-01,,http://x\n'
            )
        else:
            said = [
                {"ID": int(f"{number}1"), "Timestamp": "2021-01-01 10:00:00", "Contents": "hi", "Attachments": ""},
                {"ID": f"{number}2", "Timestamp": "2021-01-01 10:00:00", "Contents": "", "Attachments": "http://x"},
            ]
            (folder / "messages.json").write_text(json.dumps(said))
    return root


@pytest.mark.parametrize("names", [("messages", "account"), ("Messages", "Account")])
def test_own_messages(tmp_path: Path, names: tuple[str, str]) -> None:
    """A package has one author, the user; upper or lower case of its folders does not matter."""
    root = package(tmp_path / "package", {"12": {"type": 0}}, messages=names[0], account=names[1])
    messages, report = read(root)
    (said,) = messages.values()
    assert (said.id, said.channel, said.author_id, said.author, said.text) == (121, "12", "7", "Ann", "hi")
    assert report.dropped == {"no text": 1}
    assert (report.kind, report.files) == ("Discord data package", 1)


def test_older_packages_are_csv(tmp_path: Path) -> None:
    """Their messages have quotes and line breaks; a marker of the encoding before the first name is no part of it."""
    root = package(tmp_path / "package", {"12": {"type": "GUILD_TEXT"}}, csv=True)
    path = root / "messages" / "c12" / "messages.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    messages, report = read(root)
    assert [(each.id, each.text) for each in messages.values()] == [(121, 'hi, "you"\nthere')]
    assert report.dropped == {"no text": 1}


def test_a_line_of_csv_beyond_all_bounds(tmp_path: Path) -> None:
    """It is counted, and the lines after it are read."""
    path = tmp_path / "messages.csv"
    path.write_text(f"ID,Timestamp,Contents,Attachments\n1,2021-01-01,{'x' * 200_000},\n2,2021-01-01,hi,\n")
    messages, report = read(path)
    assert (list(messages), report.dropped) == ([2], {"malformed": 1})


@pytest.mark.parametrize(
    ("described", "private"),
    [
        ({"type": 0}, False),
        ({"type": "PUBLIC_THREAD"}, False),
        ({"type": 1}, True),
        ({"type": "GROUP_DM"}, True),
        ({"type": 12}, True),
        ({}, True),
    ],
)
def test_private_unless_known_to_be_public(tmp_path: Path, described: dict[str, Any], private: bool) -> None:
    """Direct messages and groups are private, by number or name; so is a channel of which nothing is known."""
    messages, _ = read(package(tmp_path / "package", {"12": described}))
    assert messages[121].private is private


def test_a_package_without_its_account(tmp_path: Path) -> None:
    """A user who removed the account's file is `me`."""
    root = package(tmp_path / "package", {"12": {"type": 0}})
    (root / "account" / "user.json").unlink()
    assert read(root)[0][121].author_id == "me"
