"""The second reading: each chosen message with what stood before it, on its side of the border. Texts are still as they were written."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adapters.curation.chosen import Choice, Chosen
from adapters.curation.context import Scene, Windows, visible
from adapters.curation.duplicates import Told
from adapters.curation.recipe import CurationRecipe
from adapters.curation.reward import reward
from adapters.curation.rivals import Pool, Rivals
from adapters.curation.seams import Messages, Progress
from adapters.curation.selection import unfit
from adapters.curation.split import Side, side
from adapters.curation.survey import place_of
from adapters.curation.talks import Talks, micros
from adapters.sources.message import Message

NEAR_DUPLICATE = "nearly the same as another"
_STEP = 5_000


@dataclass(frozen=True, slots=True)
class Draft:
    """An example to be: what `Scene` says, its `conversation` (channel and when that began), and its rivals where it is held out."""

    choice: Choice
    scene: Scene
    conversation: tuple[str, int]
    rivals: Pool | None = None

    @property
    def text(self) -> str:
        """The target, a line for each part."""
        return "\n".join(part.text for part in self.scene.parts)


@dataclass
class Drafts:
    """In the order of ids."""

    train: list[Draft] = field(default_factory=list)
    held_out: list[Draft] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Plan:
    """What was decided before the second reading. `hidden`: why a message may not be seen."""

    chosen: Chosen
    talks: Talks
    border: int | None
    recipe: CurationRecipe
    hidden: Callable[[Message], str | None]


def draft(messages: Messages, plan: Plan, progress: Progress) -> Drafts:
    """Read all messages once more. Memory: the drafts, and a window of each channel."""
    reader = _Drafter(plan, Windows(plan.recipe, visible(messages.find, plan.hidden)))
    total = len(messages)
    for done, message in enumerate(messages, start=1):
        if plan.hidden(message) is None:
            reader.read(message)
        if done % _STEP == 0:
            progress("finding contexts", done, total)
    progress("finding contexts", total, total)
    return reader.drafts


def without_duplicates(drafts: Drafts, similarity: float, own: Sequence[Draft] = ()) -> Drafts:
    """Of texts that are nearly the same the heaviest to train on is kept, else the heaviest that is held out.

    `own`: what the model said, to train on; where it says what people said, theirs is kept.
    """
    told = Told(similarity)
    left = Drafts(dropped=drafts.dropped.copy())
    for every, kept in ((drafts.train, left.train), (drafts.held_out, left.held_out), (own, left.train)):
        heaviest = sorted(every, key=lambda each: (-each.choice.weight, -each.choice.reward, each.choice.message_id))
        new = {each.choice.message_id for each in heaviest if not told.again(each.text)}
        others = [each for each in every if each.choice.message_id in new]
        kept.extend(others)
        left.dropped[NEAR_DUPLICATE] += len(every) - len(others)
    return left


class _Drafter:
    def __init__(self, plan: Plan, windows: Windows) -> None:
        self.drafts = Drafts()
        self._plan = plan
        self._windows = windows
        self._rivals = Rivals(plan.recipe.others)

    def read(self, message: Message) -> None:
        plan = self._plan
        self._windows.add(message)
        held_out = plan.border is not None and micros(message.at) >= plan.border
        if held_out:
            self._rivals.offer(message)
        choice = plan.chosen.choices.get(message.id)
        if choice is None:
            return
        scene = self._windows.scene(message)
        if isinstance(scene, str):
            self.drafts.dropped[scene] += 1
        else:
            self._place(choice, scene)

    def _place(self, choice: Choice, scene: Scene) -> None:
        root = scene.root
        began = self._plan.talks.began(root.channel, micros(root.at))
        times = [micros(each.at) for each in (*scene.screen, *scene.parts)]
        where = side(choice.at, began=began, earliest=min(times), latest=max(times), border=self._plan.border)
        if where is Side.NEITHER:
            self.drafts.dropped[where.value] += 1
        elif where is Side.TRAIN:
            self.drafts.train.append(Draft(choice, scene, (place_of(root), began)))
        else:
            pool = self._rivals.open(scene, self._fits(choice), self._windows.last(scene.parts[-1].channel, 1_000))
            self.drafts.held_out.append(Draft(choice, scene, (place_of(root), began), pool))

    def _fits(self, choice: Choice) -> Callable[[Message], bool]:
        """Whether a message may be a rival. Where nobody reacted to anything, what is not learnt itself may."""
        plan = self._plan

        def fits(message: Message) -> bool:
            lesser = reward(message) < choice.plain or not choice.plain
            late = plan.border is not None and micros(message.at) >= plan.border
            return lesser and late and unfit(message, plan.recipe) is None

        return fits
