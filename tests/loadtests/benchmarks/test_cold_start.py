"""The cold-start benchmark on fake engines: what is started, asked, ended and said."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from loadtests.benchmarks.chart import draw
from loadtests.benchmarks.cold_start import COLD, MODES, PLAIN, STANDBY, NoToken, Programs, Start, logging_that_tells, one_start, rounds
from loadtests.benchmarks.cold_start_report import as_json, middle, table, verdicts
from loadtests.benchmarks.command import bench
from loadtests.benchmarks.memory import Memory
from loadtests.benchmarks.phases import PHASES
from loadtests.benchmarks.process import NotStarted


@pytest.fixture(autouse=True)
def nobody_left(tmp_path: Path) -> Iterator[None]:
    """However a test ends: everything that a benchmark starts has this folder in its arguments."""
    yield
    deadline = time.monotonic() + 30.0
    while left := [pid for pid in os.listdir("/proc") if pid.isdigit() and str(tmp_path).encode() in arguments_of(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def arguments_of(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def fakes(folder: Path, *, options: tuple[str, ...] = ("--ttft", "0.01"), model: str = "bench-0123456789abcdef") -> Programs:
    socket = folder / "s"
    engine = ("-m", "loadtests.fake_engine", "--uds", str(socket), "--processes", *options)
    standby = ("-m", "loadtests.fake_standby", "--uds", str(socket), *options)
    return Programs(plain=engine, cold=engine, standby=standby, environment=dict(os.environ), socket=socket, model=model)


def interrupt_once_started(folder: Path, began: list[str]) -> None:
    """The main thread, once the engine has a core; SIGALRM, so that a Ctrl-C for pytest stays one."""
    deadline = time.monotonic() + 60.0
    while not began and time.monotonic() < deadline:
        time.sleep(0.01)
        began += [pid for pid in os.listdir("/proc") if pid.isdigit() and str(folder).encode() in arguments_of(pid) and is_core(pid)]
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)


def is_core(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "VLLM::EngineCor\n"
    except OSError:
        return False


def start(total: float, host: float = 0.0, mib: int = 0) -> Start:
    spent = dict.fromkeys(PHASES, 0.0) | {"imported": total - 1.0, "token": 1.0}
    return Start({"http": total - 1.0, "token": total}, spent, host, Memory(mib << 20, 2 * mib << 20))


ROUNDS = [
    {PLAIN: start(20.0), COLD: start(8.0), STANDBY: start(2.0, 9.0, 300)},
    {PLAIN: start(30.0), COLD: start(9.0), STANDBY: start(4.5, 8.0, 310)},
    {PLAIN: start(22.0), COLD: start(11.0), STANDBY: start(2.2, 10.0, 305)},
]


def test_each_round_starts_each_mode_once_and_ends_it(tmp_path: Path) -> None:
    """The first one is only to warm up; a standby host is measured asleep; nothing answers afterwards."""
    said: list[str] = []
    found = list(rounds(fakes(tmp_path), tmp_path, 1, said.append))
    assert len(found) == 1
    assert [line.split(":")[0] for line in said] == ["warm-up"] * 3 + ["round 1 of 1"] * 3
    assert [line.split(": ")[1] for line in said] == [PLAIN, COLD, STANDBY, COLD, STANDBY, PLAIN]
    assert set(found[0]) == set(MODES)
    for mode, one in found[0].items():
        assert 0.0 < one.reached["http"] < one.first_token_s
        assert sum(one.phases.values()) == pytest.approx(one.first_token_s)
        assert (one.host_start_s > 0) == (one.asleep.rss > 1 << 20) == (mode == STANDBY)


@pytest.mark.parametrize("mode", MODES)
def test_an_engine_that_fails_is_no_figure(tmp_path: Path, mode: str) -> None:
    """The error holds its last words, where it leaves any."""
    with pytest.raises(NotStarted, match="header too large"):
        one_start(fakes(tmp_path, options=("--start-failure", "bad-weights")), mode, tmp_path)


@pytest.mark.parametrize("mode", MODES)
def test_an_engine_that_says_nothing_is_no_figure(tmp_path: Path, mode: str) -> None:
    """A 404 in place of a stream; and it is ended all the same."""
    with pytest.raises(NoToken, match="404"):
        one_start(fakes(tmp_path, model="nobody"), mode, tmp_path)


@pytest.mark.parametrize("mode", MODES)
def test_ctrl_c_leaves_nothing(tmp_path: Path, mode: str) -> None:
    """While an engine is waited for that never comes."""
    began: list[str] = []
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    watcher = threading.Thread(target=interrupt_once_started, args=(tmp_path, began))
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            one_start(fakes(tmp_path, options=("--start-failure", "never")), mode, tmp_path)
    finally:
        watcher.join()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert began


def test_the_table_has_a_row_for_each_phase() -> None:
    """Median, smallest and largest; and the rows of a client alone where nobody told phases."""
    lines = table(ROUNDS)
    assert lines[0] == "| seconds | plain vLLM | cold | standby |"
    assert lines[2] == "| imports of the API server | 21.00 (19.00–29.00) | 8.00 (7.00–10.00) | 1.20 (1.00–3.50) |"
    assert lines[-1] == "| **start to first token** | 22.00 (20.00–30.00) | 9.00 (8.00–11.00) | 2.20 (2.00–4.50) |"
    assert len(lines) == 2 + len(PHASES) + 2
    assert len(table(ROUNDS, with_phases=False)) == 4


def test_ratios_are_of_the_same_round() -> None:
    """A median of ratios, not a ratio of medians; with what was wanted, and what a host costs."""
    standby, cold, host, memory = verdicts(ROUNDS)
    assert standby == "standby ÷ plain vLLM, first token: 0.100 (0.100–0.150); wanted: at most 0.15."
    assert cold == "cold ÷ plain vLLM, first token: 0.400 (0.300–0.500); wanted: at most 0.45."
    assert host == "The standby host's own start, once: 9.0 (8.0–10.0) s."
    assert memory == "Host memory while asleep, MiB: standby 305 (300–310) (PSS), 610 (600–620) (RSS); cold 0."


def test_the_bars_are_those_of_the_median_start() -> None:
    """So that a bar's phases sum up to what the table calls the median."""
    assert {mode: sum(spent.values()) for mode, spent in middle(ROUNDS).items()} == {PLAIN: 22.0, COLD: 9.0, STANDBY: 2.2}


def test_machines_read_every_round() -> None:
    """As JSON, with the names of the phases."""
    read = json.loads(json.dumps(as_json(ROUNDS)))
    assert [one[PLAIN]["reached"]["token"] for one in read["rounds"]] == [20.0, 30.0, 22.0]
    assert read["rounds"][0][STANDBY]["asleep"] == {"pss": 300 << 20, "rss": 600 << 20}


def test_the_chart_is_a_picture_of_all_phases(tmp_path: Path) -> None:
    """In SVG, which is read again here; PNG goes as well."""
    draw(middle(ROUNDS), PHASES, tmp_path / "chart.svg")
    assert ElementTree.parse(tmp_path / "chart.svg").getroot().tag.endswith("svg")  # noqa: S314  our own
    draw(middle(ROUNDS), PHASES, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_phases_come_through_vllms_logging(tmp_path: Path) -> None:
    """Its own logger keeps its level; ours is a filter that knows where to write."""
    told = json.loads(json.dumps(logging_that_tells(tmp_path / "points")))
    assert told["filters"]["phases"] == {"()": "server.engine.phases.Phases", "path": str(tmp_path / "points")}
    assert told["loggers"]["vllm"]["level"] == "INFO"


@pytest.mark.parametrize(
    ("options", "sentence"), [(("--base", "."), "give --base and --adapter"), (("--chart", "a.svg", "--without-phases"), "nothing to draw")]
)
def test_options_that_make_no_sense_together_are_refused(options: tuple[str, ...], sentence: str) -> None:
    """Before anything is started."""
    result = CliRunner().invoke(bench, ["cold-start", *options])
    assert result.exit_code == 2
    assert sentence in result.stderr
