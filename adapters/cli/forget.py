"""`troupe forget`: finds what learnt from somebody, takes them out of everything, and writes a proof."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Group, RenderableType

from adapters.cli.access import Access
from adapters.cli.command import FAILED, Result, rendered, sentences, tell, write
from adapters.cli.errors import BadUsage, CommandError, NoSuch
from adapters.cli.registrar import Registrar
from adapters.cli.tables import pairs
from adapters.cli.upkeep import counted
from adapters.curation.errors import CurationError
from adapters.curation.privacy.identity import Network, qualified, written_id
from adapters.registry.errors import RegistryError, UnknownModel
from adapters.registry.manifest import Manifest, State
from adapters.workspace.errors import WorkspaceError
from adapters.workspace.forgetting import Forgetting, Found
from adapters.workspace.proof import Proof
from adapters.workspace.retraining import add_waiting, remove_waiting
from adapters.workspace.workspace import Workspace, communities

REASON = "It learnt from somebody who asked to be forgotten."
Live = Literal["retrain", "stop"]


@dataclass(frozen=True)
class Learnt:
    """A version that learnt from the person, and the aliases that point at it."""

    manifest: Manifest
    aliases: tuple[str, ...]

    def said(self) -> str:
        pointed = f" ({' and '.join(self.aliases)})" if self.aliases else ""
        return f"{self.manifest.ref}{pointed}"


@dataclass(frozen=True)
class Report:
    """What was found in one community, and what was done. `after`: a fresh scan, None where nothing was done."""

    community: str
    found: Found
    learnt: tuple[Learnt, ...]
    became: Mapping[str, str] = field(default_factory=dict)
    """Version → "retired", "waiting" (for a retraining) or "stopped"."""
    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] | None = None
    proof: str = ""
    datasets: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        versions = [{"version": each.manifest.version, "aliases": list(each.aliases)} for each in self.learnt]
        return {
            "community": self.community, "found": {**self.found.to_json(), "versions": versions}, "versions": dict(self.became),
            "before": dict(self.before), "after": self.after, "proof": self.proof, "datasets": list(self.datasets),
        }  # fmt: skip


@click.command()
@click.argument("author")
@click.option("--community", help="Only of this community.  [default: of all that have a workspace here]")
@click.option(
    "--kind", type=click.Choice([network.value for network in Network]), default=Network.DISCORD.value, show_default=True, help="Of the id."
)
@click.option(
    "--live",
    type=click.Choice(["retrain", "stop"]),
    default="retrain",
    show_default=True,
    help="What becomes of a version that people talk to: it waits for `troupe factory --retrain`, or nobody gets it any more.",
)
@click.option("--dry-run", is_flag=True, help="Only say what learnt from them.")
@click.option("--local", is_flag=True, help="Work on this machine's registry directly, not through the gateway.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="With the workspaces and the registry in this folder.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def forget(
    context: click.Context,
    *,
    author: str,
    community: str | None,
    kind: str,
    live: Live,
    dry_run: bool,
    local: bool,
    home: Path | None,
    as_json: bool,
) -> None:
    """Forget AUTHOR, an id: nothing of them stays in imports and datasets, and no adapter that learnt from them stays unnoticed.

    First says which datasets and versions those are. Versions that nobody is given are retired. May be called again at any time; what was
    interrupted is finished.
    """
    access = context.find_object(Access) or Access()
    with sentences(WorkspaceError, CurationError):
        author_id = _author(author, Network(kind))
        place = home or access.settings().home
        names = [community] if community else communities(place)
        if not names:
            raise BadUsage(f"No community has a workspace in {place}: nobody can be forgotten there.")
        with _registry(access, local=local, home=home) as registry:
            reports = [_forget(Forgetting(Workspace.open(place, name), author_id), registry, live, dry_run=dry_run) for name in names]
        result = Result([report.to_json() for report in reports], _shown(reports, dry_run))
        write(json.dumps(result.content) if as_json else rendered(result.shown))
        if registry.failure:
            tell(f"The registry could not be asked, so adapters may still be served that learnt from them ({registry.failure})")
            tell("Everything else is done: run the same command again when it can.")
            context.exit(FAILED)


@dataclass
class _Reached:
    """A registry, or why there is none. It is asked until it fails once."""

    registrar: Registrar | None
    failure: str = ""

    def learnt(self, community: str, hashes: frozenset[str]) -> tuple[Learnt, ...]:
        """Versions that are not retired and whose training names one of these datasets."""
        with self._asking() as registrar:
            if registrar is not None and hashes:
                return _learnt(registrar, community, hashes)
        return ()

    def end(self, each: Learnt, live: Live) -> str:
        """What became of the version; empty where the registry could not be asked."""
        with self._asking() as registrar:
            if registrar is not None:
                return _ended(registrar, each, live)
        return ""

    @contextmanager
    def _asking(self) -> Iterator[Registrar | None]:
        try:
            yield self.registrar
        except (CommandError, RegistryError) as exc:
            self.registrar, self.failure = None, str(exc)


@contextmanager
def _registry(access: Access, *, local: bool, home: Path | None) -> Iterator[_Reached]:
    with ExitStack() as stack:
        try:
            reached = _Reached(stack.enter_context(access.open(local=local, home=home, overrides={}, note=tell)))
        except (CommandError, RegistryError) as exc:
            reached = _Reached(None, str(exc))
        yield reached


def _learnt(registrar: Registrar, community: str, hashes: frozenset[str]) -> tuple[Learnt, ...]:
    try:
        snapshot = registrar.snapshot(community)
    except (UnknownModel, NoSuch):
        return ()
    found = []
    for listed in snapshot.manifests(community):
        if listed.state is not State.RETIRED:
            dataset = (registrar.show(community, listed.version).training or {}).get("dataset")
            if isinstance(dataset, Mapping) and dataset.get("hash") in hashes:
                pointing = sorted(alias for alias, at in snapshot.pointers(community).items() if at.version == listed.version)
                found.append(Learnt(listed, tuple(pointing)))
    return tuple(found)


def _ended(registrar: Registrar, each: Learnt, live: Live) -> str:
    manifest = each.manifest
    if not each.aliases:
        registrar.retire(manifest.community, manifest.version)
        return "retired"
    if live == "stop" and manifest.state is State.PUBLISHED:
        registrar.quarantine(manifest.community, manifest.version, REASON)
    return "stopped" if live == "stop" or manifest.state is State.QUARANTINED else "waiting"


def _author(author: str, network: Network) -> str:
    found = written_id(network, author)
    if found is None:
        raise BadUsage(f"{author[:80]!r} is no {network.value} id: give the number, or say --kind jsonl for a name.")
    return qualified(network, found)


def _forget(forgetting: Forgetting, registry: _Reached, live: Live, *, dry_run: bool) -> Report:
    """Says first, on stderr, what was found."""
    community = forgetting.workspace.community
    found = forgetting.find()
    learnt = registry.learnt(community, found.hashes)
    tell(_sentence(community, found, learnt))
    if dry_run:
        return Report(community, found, learnt)
    with forgetting.workspace.locked():
        found = forgetting.find()
        proof = forgetting.begin()
        forgetting.remove(proof, found, lambda card: str(import_module("adapters.pages.data_card").data_card_page(card)))
        became = {str(each.manifest.version): registry.end(each, live) for each in learnt}
        _note_versions(forgetting, proof, learnt, became)
        after = forgetting.scan()
        if registry.failure:
            proof.content |= {"after": after, "registry": registry.failure}
            proof.save()
        else:
            proof.content["registry"] = "done"
            proof.finish(after)
    if any(after.values()):
        raise CommandError(f"Something of them is left in {community} ({proof.path} says what): run the same command again.")
    said = proof.content
    return Report(community, found, learnt, became, said["before"], after, str(proof.path), tuple(said["datasets"]))


def _note_versions(forgetting: Forgetting, proof: Proof, learnt: tuple[Learnt, ...], became: Mapping[str, str]) -> None:
    """In the proof, and in the queue of what has to be trained again."""
    for each in learnt:
        version, what = each.manifest.version, became[str(each.manifest.version)]
        if what == "waiting":
            add_waiting(forgetting.folder, version, proof.name)
        elif what:
            remove_waiting(forgetting.folder, version)
        held = [entry for entry in proof.content["versions"] if entry["version"] != version]
        proof.content["versions"] = [*held, {"version": version, "aliases": list(each.aliases), "became": what or "not known"}]
    proof.save()


def _sentence(community: str, found: Found, learnt: tuple[Learnt, ...]) -> str:
    messages, imports = sum(found.messages.values()), sum(map(bool, found.messages.values()))
    folders = ", ".join(folder.name for folder in found.datasets)
    parts = [
        f"{counted(messages, 'message')} in {counted(imports, 'import')}",
        f"{counted(len(found.datasets), 'dataset')} ({folders})" if folders else "no dataset",
        f"adapters: {', '.join(each.said() for each in learnt)}" if learnt else "no published adapter",
        f"{counted(len(found.runs), 'run')} on disk" if found.runs else "",
    ]
    return f"{community}: {'; '.join(part for part in parts if part)}."


def _shown(reports: list[Report], dry_run: bool) -> RenderableType:
    parts: list[RenderableType] = []
    for report in reports:
        if dry_run:
            parts.append(_sentence(report.community, report.found, report.learnt))
            continue
        waiting = [version for version, what in report.became.items() if what == "waiting"]
        facts = {
            "Community": report.community,
            "Removed": ", ".join(f"{count:,} {what}" for what, count in report.before.items() if count) or "nothing was left of them",
            "Datasets": ", ".join(f"{each['hash'][7:23]} → {(each['became'] or 'nothing')[7:23] or 'none'}" for each in report.datasets),
            "Versions": ", ".join(f"{version} {what}" for version, what in report.became.items() if what),
            "Proof": report.proof,
        }
        parts += [pairs(facts), ""]
        if waiting:
            parts.append(
                f"Version {', '.join(waiting)} stays live until it is replaced: `troupe factory --retrain --community {report.community}`."
            )
    if not dry_run:
        parts.append("Exports that were imported are yours and untouched; a later import leaves them out.")
    return Group(*parts)
