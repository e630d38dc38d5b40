"""`troupe train`: a thin reader of arguments. What imports torch is loaded when there is something to train."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import click
from rich.table import Table

from adapters.cli.access import Access
from adapters.cli.command import rendered, sentences, write
from adapters.cli.errors import BadUsage, CommandError
from adapters.curation.dataset import Dataset, read_dataset
from adapters.curation.errors import CurationError
from adapters.training.display import clock, training_display
from adapters.training.errors import BadRecipe, TrainingError
from adapters.training.fit import gigabytes
from adapters.training.progress import TrainingResult
from adapters.training.quiet import quiet_libraries
from adapters.training.recipe import PRESETS, STORY_BASE
from adapters.training.threads import share_the_cores
from adapters.workspace.errors import WorkspaceError
from adapters.workspace.runs import run_name
from adapters.workspace.workspace import Workspace

DEFAULT_PRESET = "qwen3-8b-r16"


@click.command()
@click.option("--community", default="", help="Whose newest dataset is learnt, and whose run this is.")
@click.option("--dataset", "folder", type=click.Path(path_type=Path), help="Learn the dataset in this folder instead.")
@click.option("--out", type=click.Path(path_type=Path), help="Train in this folder instead of the community's workspace.")
@click.option("--base", help=f"A model's directory, or its name on the hub.  [default: TROUPE_BASE, or {STORY_BASE}]")
@click.option("--preset", type=click.Choice(list(PRESETS)), default=DEFAULT_PRESET, show_default=True, help="A set of good numbers.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Another value for one number of the preset; may be repeated.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Where workspaces are.  [default: TROUPE_HOME]")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def train(
    context: click.Context,
    *,
    community: str,
    folder: Path | None,
    out: Path | None,
    base: str | None,
    preset: str,
    changes: tuple[str, ...],
    home: Path | None,
    as_json: bool,
) -> None:
    """Train a community's adapter on its dataset.

    Called again after it was interrupted, it goes on where it was. The adapter, how it was trained and its loss curve lie in one folder.
    """
    settings = (context.find_object(Access) or Access()).settings()
    share_the_cores()
    with sentences():
        try:
            recipe = PRESETS[preset].changed(_pairs(changes))
            wanted = base or settings.base or STORY_BASE
            workspace = Workspace.open(home or settings.home, community) if community else None
            dataset = _dataset(folder, workspace)
            if out is None:
                if workspace is None:
                    raise BadUsage("Nothing says where to train: give --community, or --out FOLDER.")
                run = workspace.new_run(run_name(dataset.content_hash, wanted, recipe.to_json())).check()
                run.plan(dataset.content_hash)
                out = run.folder
            quiet_libraries()
            with training_display() as progress:
                result = import_module("adapters.training.train").train(wanted, dataset, out, recipe, progress)
        except BadRecipe as exc:
            raise BadUsage(str(exc)) from exc
        except (TrainingError, CurationError, WorkspaceError) as exc:
            raise CommandError(str(exc)) from exc
        write(json.dumps({"adapter": str(result.adapter), "training": result.record}) if as_json else rendered(shown(result, out)))


def _dataset(folder: Path | None, workspace: Workspace | None) -> Dataset:
    if folder is None and workspace is None:
        raise BadUsage("Nothing says what to learn: give --community, or --dataset FOLDER.")
    return read_dataset(folder or workspace.latest_dataset())  # type: ignore[union-attr]  # one of the two is there


def _pairs(changes: tuple[str, ...]) -> Mapping[str, str]:
    pairs = [change.partition("=") for change in changes]
    if wrong := [change for change, (_, equals, _) in zip(changes, pairs, strict=True) if not equals]:
        raise BadUsage(f"--set {wrong[0]} has no value: write --set NAME=VALUE.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def shown(result: TrainingResult, out: Path) -> Table:
    """What was trained, in a few lines."""
    record = result.record
    table = Table(box=None, show_header=False, pad_edge=False)
    best = next(each for each in reversed(record["losses"]) if each["step"] <= record["best_step"])
    held_out = "not looked at" if best["held_out"] is None else f"{best['held_out']:.3f} nats per token"
    before = "" if record["held_out_before"] is None else f", {record['held_out_before']:.3f} without the adapter"
    steps, peak = record["losses"][-1]["step"], record["peak_memory_bytes"]
    rows = {
        "Adapter": str(result.adapter),
        "Held-out loss": f"{held_out}{before} (step {record['best_step']} of {steps})",
        "Took": f"{clock(record['seconds'])}, {record['tokens_per_second']:,.0f} tokens/s, at most {gigabytes(peak)}",
        "Next": f"`troupe evaluate {out}`",
    }
    for name, text in rows.items():
        table.add_row(name, text)
    for warning in record["warnings"]:
        table.add_row("Note", warning)
    return table
