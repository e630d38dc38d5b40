"""What tests measured is shown at the end of the run: `record_property` a figure and it is printed, also from parallel workers.

Hypothesis tries the same examples in every run, so that a run says something of the change and not of the draw; new ones are drawn with
`--hypothesis-profile=search`.
"""

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="The same tests with the large counts: an hour instead of minutes.")
    parser.addoption("--stack-home", help="A TROUPE_HOME to keep: the end-to-end tests then build the demo there only once.")


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether this run is for the large counts."""
    return bool(request.config.getoption("--soak"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = [
        (report.nodeid.rpartition("::")[2], name, value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
    ]
    if figures:
        terminalreporter.section("figures")
        for test, name, value in figures:
            terminalreporter.write_line(f"{name}: {value}  ({test})")
