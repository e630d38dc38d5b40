"""`troupe`: finds the commands that are installed and loads the one that is called.

Commands come from the entry points `troupe.commands`, so each package brings its own and this one knows none of them. A
command's module is imported when it is called and not before: `troupe --help` reads the first line of its docstring from the
source, so it neither waits for torch nor fails where an extra is missing.

Exit codes:

    0    done
    1    failed; the sentence on stderr says what to do
    2    wrong usage: an option or argument
    3    no gateway answers
    4    no API key, or one that the gateway does not accept
    5    there is no such model
    130  interrupted with Ctrl-C
"""

import ast
import importlib.util
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

GROUP = "troupe.commands"
OWN_PACKAGES = ("adapters", "clients", "loadtests", "server")
EXTRAS = {
    "adapters": "train",
    "adapters.cli": "publish",
    "adapters.cli.curate": "train",
    "adapters.cli.forget": "train",
    "adapters.cli.import_export": "train",
    "clients": "clients",
    "clients.discord_bot": "discord",
    "loadtests": "load",
    "server": "server",
}
"""Which extra brings what a package imports; the longest match counts."""


_EXIT_CODES = __doc__.partition("Exit codes:\n\n")[2]


def installed_commands() -> Iterable[EntryPoint]:
    """The entry points of every installed distribution that brings commands."""
    return entry_points(group=GROUP)


class Commands(click.Group):
    """A group whose commands are entry points. `find` replaces the search for them, for tests."""

    def __init__(self, *args: Any, find: Callable[[], Iterable[EntryPoint]] = installed_commands, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._find = find

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._found())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self._found().get(cmd_name)
        return load(found) if found else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, made without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(found)) for name, found in sorted(self._found().items())])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands, with what they do, without importing any; and options."""
        names = [name for name in self._found() if name.startswith(incomplete)]
        items = [CompletionItem(name, help=summary(self._found()[name])) for name in sorted(names)]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def _found(self) -> dict[str, EntryPoint]:
        return {found.name: found for found in self._find()}


def load(found: EntryPoint) -> click.Command:
    """Import a command. Raises click.ClickException with the extra to install where a package that it needs is missing."""
    try:
        command = found.load()
    except ModuleNotFoundError as exc:
        missing = (exc.name or "").partition(".")[0]
        if missing in OWN_PACKAGES:
            raise click.ClickException(f"This copy of Troupe has no `troupe {found.name}`: {exc.name} is missing.") from exc
        raise click.ClickException(
            f"`troupe {found.name}` needs {missing}, which is not installed. "
            f"In Troupe's folder, run: pip install '.[{extra_of(found.module)}]'"
        ) from exc
    if not isinstance(command, click.Command):
        raise click.ClickException(f"{found.value}, registered as `troupe {found.name}`, is not a command.")
    return command


def extra_of(module: str) -> str:
    """The extra that brings what `module` imports."""
    packages = [package for package in EXTRAS if f"{module}.".startswith(f"{package}.")]
    return EXTRAS[max(packages, key=len)] if packages else module.partition(".")[0]


def summary(found: EntryPoint) -> str:
    """The first line of a command's docstring, read from its source; empty where there is none to read."""
    try:
        spec = importlib.util.find_spec(found.module)
        tree = ast.parse(Path(spec.origin).read_bytes()) if spec and spec.origin else ast.Module([], [])
    except (ImportError, OSError, SyntaxError, ValueError):
        return ""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == found.attr:
            return (ast.get_docstring(node) or "").partition("\n")[0].rstrip(".")
    return ""


@click.group(cls=Commands, epilog=f"Exit codes:\n\n\b\n{_EXIT_CODES}", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="troupe", message="troupe %(version)s")
def main() -> None:
    """One stage, many voices: one base model, one adapter per community."""
