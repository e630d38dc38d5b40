"""Measures an import: writes an export of a million messages (about 1 GB), reads it in a fresh process, says time and memory.

    python -m tests.adapters.sources.bench_import [--messages 1000000] [--keep FOLDER]

The export is as the exporter writes one (indented, every key), ten channels in partitions of 25,000, replies, reactions, and one part
exported twice. CPU seconds are the figure that another load on the machine does not change.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from adapters.sources.source import open_source

_CHANNELS, _PART, _PEOPLE = 10, 25_000, 400
_START = datetime(2023, 1, 1, tzinfo=UTC)
_DISCORD_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
_SAID = "the a we you that was is it on match goal keeper late again never laughed coffee build broke friday 😀 größer ここ"
_WORDS = _SAID.split()


def write(folder: Path, messages: int) -> int:
    """Write the export; returns its bytes."""
    rng = Random(1)
    each = messages // _CHANNELS
    for channel in range(_CHANNELS):
        for part, chunk in enumerate(_chunks(_messages(rng, channel, each), _PART), start=1):
            tail = "" if part == 1 else f" [part {part}]"
            _write(folder / f"Guild - Text - room{channel} [{9000 + channel}]{tail}.json", channel, chunk, "2026-01-01T00:00:00+00:00")
            if channel == 0 and part == 1:
                _write(folder / "older export.json", channel, chunk, "2025-01-01T00:00:00+00:00")
    return sum(file.stat().st_size for file in folder.iterdir())


def _write(path: Path, channel: int, messages: list[dict[str, Any]], exported_at: str) -> None:
    head = {
        "guild": {"id": "1", "name": "Guild", "iconUrl": ""},
        "channel": {"id": str(9000 + channel), "type": "GuildTextChat", "categoryId": "2", "category": "Text", "name": f"room{channel}"},
        "dateRange": {"after": None, "before": None},
        "exportedAt": exported_at,
        "messages": messages,
        "messageCount": len(messages),
    }
    path.write_text(json.dumps(head, ensure_ascii=False, indent=2), encoding="utf-8")


def _chunks(messages: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for message in messages:
        chunk.append(message)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _messages(rng: Random, channel: int, count: int) -> Iterator[dict[str, Any]]:
    previous = None
    for number in range(count):
        at = _START + timedelta(seconds=number * 60 + rng.random() * 50)
        own = str((int((at - _DISCORD_EPOCH).total_seconds() * 1000) << 22) + channel)
        reply = previous is not None and rng.random() < 0.25
        message: dict[str, Any] = {
            "id": own,
            "type": "Reply" if reply else "Default",
            "timestamp": at.isoformat(timespec="milliseconds"),
            "timestampEdited": None,
            "callEndedTimestamp": None,
            "isPinned": False,
            "content": " ".join(rng.choices(_WORDS, k=rng.randint(3, 25))),
            "author": _user(rng.randrange(_PEOPLE)),
            "attachments": [],
            "embeds": [],
            "stickers": [],
            "reactions": [_reaction(rng) for _ in range(rng.randint(1, 2))] if rng.random() < 0.1 else [],
            "mentions": [],
        }
        if reply:
            message["reference"] = {"type": "Default", "messageId": previous, "channelId": str(9000 + channel), "guildId": "1"}
        previous = own
        yield message | {"inlineEmojis": []}


def _user(number: int) -> dict[str, Any]:
    return {
        "id": str(300_000_000_000_000_000 + number),
        "name": f"person{number}",
        "discriminator": "0000",
        "nickname": f"Person {number}",
        "color": "#3498DB",
        "isBot": number == 0,
        "avatarUrl": f"https://cdn.discordapp.com/avatars/{300_000_000_000_000_000 + number}/0123456789abcdef0123456789abcdef.png?size=512",
    }


def _reaction(rng: Random) -> dict[str, Any]:
    people = [_user(number) for number in rng.sample(range(_PEOPLE), rng.randint(1, 4))]
    emoji = {
        "id": "",
        "name": "😂",
        "code": "joy",
        "isAnimated": False,
        "imageUrl": "https://cdn.jsdelivr.net/gh/twitter/twemoji@latest/assets/svg/1f602.svg",
    }
    return {"emoji": emoji, "count": len(people), "users": people}


def read(folder: Path) -> dict[str, Any]:
    """Import the folder and go once over its messages. Seconds; memory in units of 10^6 bytes."""
    start, cpu = time.perf_counter(), time.process_time()
    with open_source(folder).read() as messages:
        imported = time.perf_counter() - start
        count = sum(1 for _ in messages)
        return {
            "messages": count,
            "bytes": messages.report.bytes,
            "dropped": messages.report.dropped,
            "import_s": round(imported, 1),
            "with_reading_back_s": round(time.perf_counter() - start, 1),
            "cpu_s": round(time.process_time() - cpu, 1),
            "peak_memory_mb": round(_peak() / 1e6),
        }


def _peak() -> int:
    """The largest resident size of this process, in bytes. `getrusage` would count what was there before it became this program."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Write, and read in a process of its own, so that the memory is the import's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="write the export here and leave it; one that is there is read again")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read(arguments.read)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            write(folder, arguments.messages)
        subprocess.run([sys.executable, "-m", "tests.adapters.sources.bench_import", "--read", str(folder)], check=True)


if __name__ == "__main__":
    main()
