"""What tests measured is shown at the end of the run: `record_property` a figure and it is printed, also from parallel workers."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack-home", help="A TROUPE_HOME to keep: the end-to-end tests then build the demo there only once.")


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
