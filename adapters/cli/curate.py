"""`troupe curate`: a thin reader of arguments, and what it tells of a dataset."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType

from adapters.cli.command import Result, on_workspace
from adapters.cli.errors import BadUsage
from adapters.cli.stages import Watch, stages
from adapters.cli.tables import pairs
from adapters.curation.card import Policy
from adapters.curation.curate import curate as curate_messages
from adapters.curation.dataset import CARD
from adapters.curation.privacy.cleaner import TextCleaner
from adapters.curation.privacy.toxicity import Level, ToxicityFilter
from adapters.curation.recipe import CurationRecipe
from adapters.pages.data_card import data_card_page
from adapters.workspace.durable import read_json
from adapters.workspace.imports import Import
from adapters.workspace.people import Members, open_members
from adapters.workspace.workspace import PAGE, Workspace

MAKER = 1
"""Counts up when the same inputs would make another dataset."""
STAGES = {"weighing": "Weighing messages", "finding contexts": "Finding contexts", "cleaning": "Taking out personal data"}


@dataclass(frozen=True)
class Curation:
    """How a dataset is to be made."""

    recipe: CurationRecipe
    toxicity: Level = Level.SLURS
    spacy_model: str = ""

    @property
    def terms(self) -> list[Any]:
        return [MAKER, self.recipe.to_json(), self.toxicity.value, self.spacy_model]


_NUMBERS: Mapping[str, tuple[type, str]] = {
    "cutoff": (float, "The reward at which a message weighs one half."),
    "sharpness": (float, "How steep the weight rises there."),
    "floor": (float, "What weighs less is not learnt."),
    "author_share": (float, "The most of all weight that one author may have, 0 to 1."),
    "held_out": (float, "Share of the examples, the latest ones, that is kept to judge the adapter."),
    "context_turns": (int, "Messages before the one that is learnt, at most."),
    "others": (int, "Other messages that each held-out one has to beat."),
    "min_examples": (int, "Fewer to train on are not worth training on."),
    "near_duplicate": (float, "Similarity from which two messages are the same one; 0 for never."),
}


def tuned(command: Any) -> Any:
    """The options of curation, for the commands that have them; `curation_of` reads them."""
    levels = click.Choice([level.value for level in Level])
    defaults = CurationRecipe().to_json()
    options = [
        click.option(f"--{name.replace('_', '-')}", name, type=kind, help=f"{about}  [default: {defaults[name]}]")
        for name, (kind, about) in _NUMBERS.items()
    ]
    options += [
        click.option("--curation", "more", multiple=True, metavar="NAME=VALUE", help="Any other setting of curation; may be repeated."),
        click.option("--toxicity", type=levels, default=Level.SLURS.value, show_default=True, help="Which messages are not learnt."),
        click.option("--spacy-model", default="", help="An installed spaCy model, to find names of people who are no members."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def curation_of(options: dict[str, Any]) -> Curation:
    """Takes its own out of `options`. Raises BadRecipe or BadUsage."""
    given = {name: value for name in _NUMBERS if (value := options.pop(name)) is not None}
    return Curation(
        CurationRecipe.from_json(given | _values(options.pop("more"))), Level(options.pop("toxicity")), options.pop("spacy_model")
    )


@click.command()
@click.option("--community", required=True, help="Of whose imports the dataset is made.")
@tuned
@on_workspace
def curate(home: Path, *, community: str, **options: Any) -> Result:
    """Make a dataset of a community's imports: what its members liked, in context, without personal data.

    A message's weight rises with its reactions, softly, around a cutoff. The page that this writes shows the curve, and what was left out.
    """
    curation = curation_of(options)
    workspace = Workspace.open(home, community)
    with stages() as watch, workspace.locked():
        folder = make(workspace, curation, watch)
    card = read_json(folder / CARD)
    return Result({"dataset": str(folder), "page": str(folder / PAGE), "card": card}, shown(workspace, folder, card))


def make(workspace: Workspace, curation: Curation, watch: Watch, *, again: bool = True) -> Path:
    """The folder of the dataset. Not made `again` unless asked for where it is there. Hold the lock.

    Raises CurationError or WorkspaceError.
    """
    imports, members = workspace.imports(), open_members(workspace)
    private = any(each.known["private"] for each in imports)
    curation = replace(curation, recipe=replace(curation.recipe, private=curation.recipe.private or private))
    answers = workspace.answers
    inputs = inputs_of(imports, members, curation, answers.state())
    if not again and (made := workspace.dataset_of(inputs)) is not None:
        return made
    with workspace.messages() as messages:
        people = members.learnable(imports)
        cleaner = TextCleaner(people, ToxicityFilter(curation.toxicity), spacy_model=curation.spacy_model)
        dataset = curate_messages(
            messages,
            curation.recipe,
            people,
            cleaner,
            community=workspace.community,
            provenance=[*(each.card_entry() for each in imports), *answers.card_entries()],
            answers=answers.read(),
            policy=Policy(consent=members.consent.mode.value, toxicity=curation.toxicity.value),
            progress=lambda stage, done, total: watch(STAGES.get(stage, stage), done, total),
        )
    return workspace.new_dataset(dataset, data_card_page(dataset.card), inputs=inputs)


def inputs_of(imports: Sequence[Import], members: Members, curation: Curation, answers: Sequence[str] = ()) -> str:
    """Of what a dataset is made: the same for the same, whenever it is made."""
    states = [each.state() for each in imports]
    consent = [members.consent.mode.value, sorted(members.consent.out), sorted(members.consent.agreed)]
    return sha256(json.dumps([states, consent, curation.terms, *answers], sort_keys=True).encode()).hexdigest()


def shown(workspace: Workspace, folder: Path, card: Mapping[str, Any]) -> RenderableType:
    """What came of it, what there is to worry about, and what to do."""
    counts, dropped = card["counts"], card["dropped"]
    facts = {
        "Dataset": folder.name,
        "Learnt": f"{counts['train']:,} messages of {counts['authors']:,} people, out of {counts['messages']:,}",
        "Held out": f"{counts['held_out']:,}, the latest ones",
        "Left out": ", ".join(f"{reason}: {count:,}" for reason, count in sorted(dropped.items(), key=lambda each: -each[1])[:5]),
        "Removed": ", ".join(f"{kind}: {count:,}" for kind, count in sorted(card["removed"].items(), key=lambda each: -each[1])),
        "Page": str(folder / PAGE),
    }
    warnings = [f"Mind: {warning}" for warning in card["warnings"]]
    parts: list[RenderableType] = [pairs(facts), *(["", *warnings] if warnings else [])]
    return Group(*parts, "", f"`troupe train --community {workspace.community}` trains an adapter on it.")


def _values(changes: tuple[str, ...]) -> dict[str, Any]:
    """`--curation NAME=VALUE`; values are JSON, or a word."""
    found: dict[str, Any] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise BadUsage(f"--curation {change[:80]} has no value: write --curation NAME=VALUE.")
        try:
            found[name.strip().replace("-", "_")] = json.loads(text)
        except ValueError:
            found[name.strip().replace("-", "_")] = text.strip()
    return found
