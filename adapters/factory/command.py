"""`troupe factory`: a thin reader of arguments around `line`, and what becomes of its product."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType

from adapters.cli.access import Access, Way, way_to
from adapters.cli.aliases import override_option
from adapters.cli.cards import verdict
from adapters.cli.command import FAILED, rendered, sentences, tell, write
from adapters.cli.curate import curation_of, tuned
from adapters.cli.errors import BadUsage
from adapters.cli.import_export import Order, ordered
from adapters.cli.publish import send, upload_of
from adapters.cli.registrar import Published, Registrar
from adapters.cli.stages import Stages, stages
from adapters.cli.tables import pairs
from adapters.cli.text import size
from adapters.curation.errors import CurationError
from adapters.evaluation.errors import EvaluationError
from adapters.evaluation.settings import QUICK, EvaluationSettings
from adapters.factory.bases import choose_base
from adapters.factory.line import PUBLISH, Job, Product, Tools, directory_of, produce
from adapters.pages.errors import PageError
from adapters.registry.gates import failed_gates
from adapters.registry.manifest import State
from adapters.sources.errors import SourceError
from adapters.training.errors import TrainingError
from adapters.training.recipe import PRESETS, TrainingRecipe
from adapters.training.threads import share_the_cores
from adapters.workspace.durable import locked
from adapters.workspace.errors import WorkspaceError
from adapters.workspace.retraining import remove_waiting, waiting
from adapters.workspace.workspace import PAGE, Workspace

ERRORS = (SourceError, CurationError, TrainingError, EvaluationError, PageError, WorkspaceError)


@dataclass(frozen=True)
class Made:
    """What came of it: the product, the version that it is, whether that is live, and versions that it replaced."""

    product: Product
    published: Published
    live: bool
    retired: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        product, manifest = self.product, self.published.manifest
        gates = {"passed": product.card.get("passed"), "gates": product.card.get("gates")}
        return {
            "community": manifest.community, "dataset": str(product.dataset), "run": str(product.run.folder),
            "pages": {"data": str(product.dataset / PAGE), "report": str(product.run.page)}, **gates,
            "version": manifest.version, "live": self.live, "retired": list(self.retired),
        }  # fmt: skip


@click.command()
@click.argument("export", type=click.Path(path_type=Path), required=False)
@click.option("--community", required=True, help="Whose adapter it will be: lower-case letters, digits and dashes.")
@ordered
@click.option("--base", help="A model's directory, or its name on the hub.  [default: TROUPE_BASE, or the demo's]")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="A set of good numbers for training.  [default: what suits the base]")
@click.option("--training", "changes", multiple=True, metavar="NAME=VALUE", help="Another number of the preset; may be repeated.")
@click.option("--evaluation", "counts", multiple=True, metavar="NAME=COUNT", help="How much of something is looked at; may be repeated.")
@click.option("--quick", is_flag=True, help="Evaluate with fewer examples: wider intervals, a few times faster.")
@click.option("--promote", "make_live", is_flag=True, help="Make it live if it passes its gates.")
@override_option
@click.option("--retrain", is_flag=True, help="Replace what learnt from people who are forgotten; needs no EXPORT.")
@tuned
@click.option("--local", is_flag=True, help="Publish to this machine's registry directly, not through the gateway.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="With workspace and registry in this folder.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def factory(context: click.Context, /, *, community: str, local: bool, home: Path | None, as_json: bool, **options: Any) -> None:
    """Make an adapter of an EXPORT: import, curate, train, evaluate and publish it.

    Called again after it was interrupted, it goes on where it was. With --promote it also goes live, if it passes its gates.
    """
    access = context.find_object(Access) or Access()
    share_the_cores()
    with sentences(*ERRORS):
        settings = access.settings()
        place = home or settings.home
        workspace = Workspace.open(place, community)
        make_live, override, retrain = options.pop("make_live"), options.pop("override"), options.pop("retrain")
        if override and not (make_live or retrain):
            raise BadUsage("--override is for --promote: a version may be published without passing its gates.")
        if retrain and not waiting(workspace.folder):
            raise BadUsage(f"No version of {community} waits to be trained again.")
        job = _job(options, settings.base, place, retrain=retrain)
        busy = f"Another `troupe factory` works on {community}: wait until it is done, or end it."
        with stages() as shown, locked(workspace.folder / "factory.lock", busy):
            product = produce(workspace, job, shown, context.obj.tools if isinstance(context.obj, Workshop) else Tools())
            way = way_to(settings, local=local or home is not None, listens=access.listens)
            base = {} if way is Way.GATEWAY else {"base": str(directory_of(job))}
            with access.open(local=local, home=home, overrides=base, note=shown.note) as registrar:
                made = _publish(registrar, workspace, product, shown, make_live=make_live or retrain, override=override)
        write(json.dumps(made.to_json()) if as_json else rendered(_said(made, asked=make_live or retrain)))
        if (make_live or retrain) and not made.live:
            tell(f"{made.published.manifest.ref} is not live: it failed its gates. Train it better, or say why it may be: --override.")
            context.exit(FAILED)


@dataclass(frozen=True)
class Workshop(Access):
    """Access, and tools that a test brings along."""

    tools: Tools = field(default_factory=Tools)


def _job(options: dict[str, Any], configured: str, home: Path, *, retrain: bool) -> Job:
    """Raises BadUsage or a recipe's error."""
    export, terms = options.pop("export"), {name: options.pop(name) for name in ("provenance", "note", "opt_out", "opt_in", "private")}
    if (export is None) != retrain:
        raise BadUsage("Give the EXPORT to learn from; or --retrain and none, for what was imported already.")
    chosen = choose_base(options.pop("base"), configured, home)
    if chosen.note:
        tell(chosen.note)
    recipe: TrainingRecipe = PRESETS[options.pop("preset") or chosen.preset].changed(_changes("training", options.pop("changes")))
    evaluation = _evaluation(QUICK if options.pop("quick") else EvaluationSettings(), _changes("evaluation", options.pop("counts")))
    return Job(Order(export, **terms) if export is not None else None, curation_of(options), chosen.base, recipe, evaluation)


def _evaluation(settings: EvaluationSettings, counts: Mapping[str, str]) -> EvaluationSettings:
    """Raises BadSettings or BadUsage."""
    known = settings.counts()
    for name, text in counts.items():
        if name not in known or not text.isascii() or not text.isdigit():
            raise BadUsage(f"--evaluation {name[:40]}={text[:40]} is no count: give a whole number for one of {', '.join(known)}.")
    numbers: dict[str, Any] = {name: int(text) for name, text in counts.items()}
    return replace(settings, **numbers)


def _changes(option: str, changes: tuple[str, ...]) -> dict[str, str]:
    pairs = [change.partition("=") for change in changes]
    if wrong := [change for change, (_, equals, _) in zip(changes, pairs, strict=True) if not equals]:
        raise BadUsage(f"--{option} {wrong[0][:80]} has no value: write --{option} NAME=VALUE.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _publish(registrar: Registrar, workspace: Workspace, product: Product, shown: Stages, *, make_live: bool, override: str) -> Made:
    """Live only where it was asked for and the gates allow it. Then versions that waited for it are retired."""
    may = make_live and (product.card.get("passed") is not False or bool(override))

    def sent(done: int, total: int) -> None:
        shown(PUBLISH, done, total, f"sending {size(done)} of {size(total)}" if done < total else "being checked and stored")

    published = send(registrar, upload_of(product.run, workspace.community), sent, make_live=may, override=override)
    shown.done(PUBLISH, f"{published.manifest.ref}{' is live' if may else ''}")
    retired = []
    if may:
        with workspace.locked():
            for each in waiting(workspace.folder):
                if _retire(registrar, workspace.community, each.version):
                    remove_waiting(workspace.folder, each.version)
                    retired.append(each.version)
    return Made(product, published, may, tuple(retired))


def _retire(registrar: Registrar, community: str, version: int) -> bool:
    """False while an alias still points at it, such as canary."""
    snapshot = registrar.snapshot(community)
    manifest = snapshot.versions.get(community, {}).get(version)
    if any(pointer.version == version for pointer in snapshot.pointers(community).values()):
        return False
    if manifest is not None and manifest.state is not State.RETIRED:
        registrar.retire(community, version)
    return True


def _said(made: Made, *, asked: bool) -> RenderableType:
    """Where to look, the verdict, and how to talk to it."""
    product, manifest = made.product, made.published.manifest
    facts = {
        "Adapter": f"{manifest.ref}{', live' if made.live else ''}",
        "Learnt from": str(product.dataset / PAGE),
        "Report card": str(product.run.page),
        "Verdict": verdict(product.card),
        "Replaced": ", ".join(f"{manifest.community}@{version}" for version in made.retired),
    }
    failed = [f"  {gate.get('name')}: {gate.get('rule')}" for gate in failed_gates(product.card)]
    talk = manifest.community if made.live else str(manifest.ref)
    steps = [f"Talk to it: `troupe chat {talk}`."]
    if not made.live and not asked:
        steps.append(f"Make it live: `troupe promote {manifest.community} {manifest.version}`.")
    return Group(pairs(facts), *failed, "", *steps)
