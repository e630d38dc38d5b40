import json

from rich.console import Console

from loadtests.measure import UNFINISHED, Sample, figures
from loadtests.report import as_json, as_table
from loadtests.workload import Workload

GOOD = Sample("zizou", 0.0, 2.5, sent_s=0.0, pieces_s=(0.25, 2.5), prompt_tokens=4, completion_tokens=10)
WAITING = Sample("greybeards", 0.5, 2.5, sent_s=0.52, error=UNFINISHED)
WORKLOAD = Workload({"zizou": 1.0, "greybeards": 1.0}, 1.0, 2.0, 10, seed=3)


def printed(*samples: Sample, width: int = 160) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(as_table(figures(samples, warmup_s=0.0)))
    return capture.get()


def test_the_table_has_a_row_per_model_and_one_for_all() -> None:
    """Times are milliseconds, as the title says, and what was not measured is a dash rather than a zero."""
    text = printed(GOOD, WAITING)
    rows = {cells[0]: cells[1:] for line in text.splitlines() if (cells := line.split())}
    assert "times in ms" in text.splitlines()[0]
    assert rows["zizou"] == ["1", "1", "250", "250", "250", "2250", "2250", "250", "10", "4.0"]
    assert rows["greybeards"][:3] == ["1", "0", "2000"]
    assert rows["greybeards"][5:8] == ["-", "-", "-"]
    assert rows["all"][:2] == ["2", "1"]


def test_the_table_fits_a_terminal() -> None:
    """Eighty columns, no figure cut."""
    assert max(map(len, printed(GOOD, WAITING, width=80).splitlines()[:8])) <= 80
    assert "…" not in printed(GOOD, WAITING, width=80)


def test_the_reader_is_told_what_qualifies_the_figures() -> None:
    """Failures, waits that were cut off and a late client each get a line."""
    text = printed(GOOD, WAITING)
    assert "1 failed: unfinished" in text
    assert "lower bound" in text
    assert "bottleneck" in text
    assert "bottleneck" not in printed(GOOD)


def test_the_json_holds_the_workload_and_the_figures() -> None:
    """The report survives a round trip, names its schema, and says what load it measured."""
    report = as_json(figures([GOOD, WAITING], warmup_s=0.0), WORKLOAD, url="http://127.0.0.1:1", warmup_s=0.0, interrupted=False)
    assert json.loads(json.dumps(report)) == report
    assert report["schema"] == 1
    assert report["workload"]["seed"] == 3
    assert report["models"]["zizou"]["ttft"]["p50"] == 0.25
    assert report["models"]["greybeards"]["errors"] == {"unfinished": 1}
    assert report["client"]["was_bottleneck"] is True
