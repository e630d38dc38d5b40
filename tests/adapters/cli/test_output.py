"""What reaches stdout, and what happens when it cannot."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from adapters.cli.access import Access
from adapters.cli.command import laid_out
from adapters.cli.progress import LARGE, uploading, waiting
from adapters.cli.tables import said, table
from adapters.cli.text import age, size, value_text
from adapters.registry.snapshot import Pointer
from adapters.settings import RegistrySettings
from clients.cli.main import main

TROUPE = [sys.executable, "-c", "from clients.cli.main import main; main()"]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to write to")
@pytest.mark.parametrize("option", ["--json", "--local"])
def test_a_full_disk_is_one_sentence(tmp_path: Path, option: str) -> None:
    """Where the result goes, not where the registry is."""
    with open("/dev/full", "w") as full:
        command = [*TROUPE, "ls", option, "--home", str(tmp_path)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "troupe: The result cannot be written: No space left on device.\n")


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    """As with `| head`: no traceback, and nothing of Python's own at the end."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [*TROUPE, "ls", "--home", str(tmp_path)]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_ctrl_c_is_code_130(tmp_path: Path) -> None:
    """While the gateway is silent."""

    def interrupted(url: str) -> bool:
        signal.raise_signal(signal.SIGINT)
        return True

    access = Access(settings=lambda: RegistrySettings(tmp_path), listens=interrupted)
    result = CliRunner().invoke(main, ["ls"], obj=access)
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "troupe: Interrupted.\n")


def test_a_narrow_terminal_folds_only_what_may_be_folded() -> None:
    """Names and numbers stay whole, whatever that costs in width."""
    shown = table([{"version": "7", "reason": "its bytes are damaged"}], ("version", "reason"), folded=("reason",))
    assert [click.unstyle(line).rstrip() for line in laid_out(shown, 17).splitlines()] == [
        "version  reason",
        "      7  its",
        "         bytes",
        "         are",
        "         damaged",
    ]
    shown = table([{"published": "25 minutes ago", "digest": "3a1160bf3297"}], ("published", "digest"))
    assert click.unstyle(laid_out(shown, 9)).splitlines()[1].rstrip() == "25 minutes ago  3a1160bf3297"


def test_a_closed_stdout_is_one_sentence(tmp_path: Path) -> None:
    """Nobody can read the result, so the command has failed."""
    command = ["bash", "-c", 'exec "$@" >&-', "bash", *TROUPE, "ls", "--home", str(tmp_path)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "troupe: The result cannot be written: standard output is closed.\n")


def test_tables_are_aligned_and_not_cut_off_in_a_pipe() -> None:
    """Lines end where they end; a column that is empty everywhere is left out; nothing is taken for markup."""
    rows = [{"name": "a", "text": "x" * 300, "none": ""}, {"name": "[bold]b", "text": "\x1b[31mred", "none": ""}]
    assert laid_out(table(rows, ("name", "text", "none")), None).splitlines() == [
        "name     text",
        f"a        {'x' * 300}",
        "[bold]b  \ufffd[31mred",
    ]


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(hours=5, minutes=59), "5 hours ago"),
        (timedelta(days=29), "29 days ago"),
        (timedelta(days=30), "2026-10-22"),
        (timedelta(days=-2), "2026-11-23"),
    ],
)
def test_times_are_ages_while_they_are_young(passed: timedelta, text: str) -> None:
    """Old ones are days, and so are those that a wrong clock puts ahead."""
    assert age((NOW - passed).isoformat(), NOW) == text


def test_a_time_that_is_none_is_shown_as_it_is() -> None:
    """A gateway may say anything."""
    assert age("long ago, they say", NOW) == "long ago, "


@pytest.mark.parametrize(("count", "text"), [(0, "0.0 kB"), (99_999, "100.0 kB"), (239_137, "0.2 MB"), (2_500_000_000, "2.5 GB")])
def test_sizes_have_the_unit_of_their_kind(count: int, text: str) -> None:
    """Decimal ones, as disks are sold."""
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (True, "yes"), (0.30000000000000004, "0.3"), (["q", "v"], "q, v"), ("sha256:" + "ab" * 32, "abababababab"), ({}, "{}")],
)
def test_values_are_said_for_people(value: object, text: str) -> None:
    """Digests short, numbers without what floating point adds."""
    assert value_text(value) == text


def test_progress_is_for_terminals_and_large_uploads(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of it goes to a file or to stdout."""
    with uploading(Console(stderr=True, force_terminal=True)) as sent, waiting("Reading", Console(stderr=True, force_terminal=False)):
        sent(LARGE // 2, LARGE)
    shown = capsys.readouterr()
    assert "Sending" in shown.err
    assert "Reading" not in shown.err
    with uploading(Console(stderr=True, force_terminal=False)) as sent:
        sent(LARGE, LARGE)
    assert (shown.out, capsys.readouterr().err) == ("", "")


def test_live_is_named_first() -> None:
    """The canary with its share; aliases of other versions not at all."""
    pointers = {"best": Pointer(2), "canary": Pointer(2, 10.0), "live": Pointer(2), "old": Pointer(1)}
    assert said(pointers, 2) == "live, best, canary 10 %"
