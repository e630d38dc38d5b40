"""`troupe evaluate`: a thin reader of arguments. What imports torch is loaded when there is something to evaluate."""

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from adapters.cli.access import Access
from adapters.cli.command import FAILED, rendered, sentences, write
from adapters.cli.errors import BadUsage
from adapters.curation.dataset import read_dataset
from adapters.curation.errors import CurationError
from adapters.evaluation.comparison_table import comparison_table
from adapters.evaluation.display import evaluation_display, shown
from adapters.evaluation.errors import BadSettings, EvaluationError
from adapters.evaluation.options import Online, online_options
from adapters.evaluation.settings import QUICK, EvaluationSettings
from adapters.evaluation.subject import Subject, at, in_workspace, read_object
from adapters.training.threads import share_the_cores
from adapters.workspace.durable import make_folder, write_json, write_text
from adapters.workspace.errors import WorkspaceError
from adapters.workspace.runs import Run
from adapters.workspace.workspace import Workspace

_ONLINE = "adapters.evaluation.online"


@click.command()
@click.argument("models", nargs=-1)
@click.option("--community", default="", help="Evaluate this community's newest run.")
@click.option("--run", "run_name", default="latest", show_default=True, help="With --community: another run.")
@click.option("--dataset", "folder", type=click.Path(path_type=Path), help="The dataset it was trained on, where it is not found.")
@click.option("--training", type=click.Path(path_type=Path), help="Its training.json, where it is not found.")
@click.option("--base", help="The model's directory, or its name on the hub.  [default: what it was trained on, or TROUPE_BASE]")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Where the JSON and the page go.  [default: the run's report]"
)
@click.option("--quick", is_flag=True, help="Fewer examples: wider intervals, a few times faster.")
@click.option("--context-tokens", type=int, help="The longest prompt and message together.")
@click.option("--strict", is_flag=True, help="End with exit code 1 if a gate fails.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Where workspaces are.  [default: TROUPE_HOME]")
@click.option("--json", "as_json", is_flag=True, help="For programs: the report card, or the comparison.")
@click.pass_context
@online_options
def evaluate(
    context: click.Context,
    *,
    models: tuple[str, ...],
    community: str,
    run_name: str,
    folder: Path | None,
    training: Path | None,
    base: str | None,
    out: Path | None,
    quick: bool,
    context_tokens: int | None,
    strict: bool,
    home: Path | None,
    as_json: bool,
    online: Online,
) -> None:
    """Measure an adapter against its base, and write its report card; or put several models side by side.

    MODELS is a run's folder or an adapter's directory, if it is not a community's newest run. Two or more are compared: bases (a
    directory, or a name on the hub), adapters, and models of a running server (zizou@3), each with a name of its own if you like:
    original=DIR tuned=DIR.
    """
    access = (context.find_object(Access) or Access()).settings()
    passed = True
    share_the_cores()
    with sentences(EvaluationError, CurationError, WorkspaceError):
        online.check(len(models))
        try:
            if len(models) > 1:
                settings = _settings(quick, context_tokens, access.quantization)
                found = _compare(models, online, base or access.base, settings)
                table = comparison_table(found, str(keep_comparison(found, out) or ""))
            else:
                subject = _subject(models, Workspace.open(home or access.home, community) if community else None, run_name)
                if training is not None:
                    subject = replace(subject, training=read_object(training))
                settings = _settings(quick, context_tokens, subject.quantization or access.quantization)
                found = _evaluate(subject, base or subject.base or access.base, folder, settings, online)
                table, passed = shown(found, str(keep(found, subject.run, out) or "")), found["passed"]
        except BadSettings as exc:
            raise BadUsage(str(exc)) from exc
        write(json.dumps(found) if as_json else rendered(table))
    context.exit(FAILED if strict and not passed else 0)


def _subject(models: tuple[str, ...], workspace: Workspace | None, run_name: str) -> Subject:
    if models:
        return at(Path(models[0]))
    if workspace is None:
        raise BadUsage("Nothing says what to evaluate: give --community, or a run's folder.")
    return in_workspace(workspace, run_name)


def _settings(quick: bool, context_tokens: int | None, quantization: str) -> EvaluationSettings:
    settings = QUICK if quick else EvaluationSettings()
    return replace(settings, quantization=quantization, context_tokens=context_tokens or settings.context_tokens)


def _evaluate(subject: Subject, base: str, folder: Path | None, settings: EvaluationSettings, online: Online) -> dict[str, Any]:
    if not base:
        raise BadUsage("Nothing says which base the adapter is for: give --base, or set TROUPE_BASE.")
    if (folder or subject.dataset) is None:
        raise BadUsage(f"Nothing says which dataset {subject.adapter} was trained on: give --dataset.")
    dataset = read_dataset(folder or subject.dataset)  # type: ignore[arg-type]  # one of the two is there
    import_module("adapters.training.quiet").quiet_libraries()
    with evaluation_display() as progress, import_module(_ONLINE).asked_too(online, base, settings, progress) as complete:
        card: dict[str, Any] = complete(
            import_module("adapters.evaluation.evaluate").evaluate_adapter(
                base, subject.adapter, dataset, subject.training, settings, progress
            )
        )
    return card


def _compare(models: tuple[str, ...], online: Online, base: str, settings: EvaluationSettings) -> dict[str, Any]:
    import_module("adapters.training.quiet").quiet_libraries()
    with evaluation_display() as progress:
        found: dict[str, Any] = import_module(_ONLINE).compare_models(models, online, base=base, settings=settings, progress=progress)
    return found


def keep_comparison(comparison: Mapping[str, Any], out: Path | None) -> Path | None:
    """Write the comparison and its page; returns the folder, None where there is nowhere to write to."""
    if out is None:
        return None
    page: str = import_module("adapters.pages").comparison_page(comparison)
    folder = make_folder(out)
    write_text(folder / "comparison.html", page)
    write_json(folder / "comparison.json", comparison)
    return folder


def keep(card: Mapping[str, Any], run: Run | None, out: Path | None) -> Path | None:
    """Write the card and its page, each whole or not at all; returns the folder. None where there is nowhere to write to."""
    if out is None and run is None:
        return None
    page: str = import_module("adapters.pages").report_card_page(card)
    if out is None and run is not None:
        run.keep_report(card, page)
        return run.report.parent
    folder = make_folder(out or Path())
    write_text(folder / "card.html", page)
    write_json(folder / "card.json", card)
    return folder
