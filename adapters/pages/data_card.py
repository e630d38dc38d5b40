"""The page of a dataset: what a model learns from, whether it is fit for that, and what to worry about. Knows only the card."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.pages.data_plots import Curve, Month, cutoff_picture, lengths_picture, months_picture, weights_picture
from adapters.pages.glossary import CONSENT, IMPORT_KINDS, PERSONAL_DATA, TOXICITY_LEVELS
from adapters.pages.page import NOT_MEASURED, Bar, Fact, Verdict, bar, histogram_rows, render, share_of
from adapters.pages.part import Part, read_card
from adapters.pages.words import SENTENCE_LENGTH, brief, counted, date, exactly, listed, moment, month_name, share, shown, whole

REMEDY = "make the dataset anew with `troupe curate`"
MOST_MONTHS = 360
"""More are not drawn: dates so far apart are wrong ones."""
LARGE_SHARE = 0.25
"""From here on one person's voice is the group's voice."""


def data_card_page(card: Mapping[str, Any]) -> str:
    """One HTML file. Raises BrokenCard."""
    part = read_card(card, "data card", REMEDY)
    rewards, weights = part.histogram("rewards"), part.histogram("weights")
    curve, lengths = _curve(part), part.part("lengths")
    target, context = (lengths.histogram("target"), lengths.histogram("context")) if lengths else (None, None)
    months = _months(part)
    return render(
        "data_card.html",
        kind="Data card",
        title=shown(part.text("community")) or "(no name)",
        subtitle=f"What the adapter of this community learns from. Made on {date(part.text('made_at')) or 'an unknown day'}.",
        verdict=_verdict(part),
        warnings=_warnings(part),
        imports=_imports(part),
        facts=_facts(part),
        funnel=_funnel(part),
        dropped=_tally(part.tally("dropped"), {}),
        cutoff=cutoff_picture(curve, rewards) if curve else None,
        cutoff_caption=_cutoff_caption(curve) if curve else "",
        weights=weights_picture(weights) if weights else None,
        weight_rows=histogram_rows(weights),
        authors_sentence=_authors_sentence(part),
        authors=_authors(part),
        channels=_channels(part),
        months_sentence=_months_sentence(part),
        months=months_picture(months, moment(part.text("held_out_from"))) if months else None,
        month_rows=[(month_name(month.start), whole(month.messages), whole(month.examples)) for month in months],
        lengths=lengths_picture(target, context) if target or context else None,
        length_rows=histogram_rows(target),
        privacy=_privacy(part),
        removed=_tally(part.tally("removed"), PERSONAL_DATA),
        details=_details(part),
        settings=_settings(part),
    )


def _count(part: Part, key: str) -> int | None:
    counts = part.part("counts")
    return counts.count(key) if counts else None


def _verdict(part: Part) -> Verdict:
    """Learnable or not, from the counts alone; the warnings decide how sure that is."""
    train, held_out = _count(part, "train"), _count(part, "held_out")
    if not train:
        return Verdict("bad", "Nothing to learn", ("There is not one example to learn from: import more messages, or lower the cutoff.",))
    authors, warnings = _count(part, "authors"), part.texts("warnings")
    by = f" by {counted(authors, 'person', 'people')}" if authors else ""
    learnt = f"The model learns from {counted(train, 'example')}{by}"
    judged = (
        f", and is judged by {counted(held_out, 'later one')} that it never sees" if held_out else ", and nothing is left to judge it by"
    )
    sentences = [f"{learnt}{judged}."]
    if not part.parts("provenance"):
        return Verdict(
            "bad", "Do not train", (*sentences, "Nobody declared where the messages come from: import them again with --provenance.")
        )
    largest = max((author.number("share") or 0 for author in part.parts("authors")), default=0)
    if largest >= LARGE_SHARE:
        sentences.append(f"One person has {share(largest)} of the say: it may learn that voice and not the group's.")
    if not held_out:
        return Verdict("bad", "Cannot be judged", tuple(sentences))
    if warnings:
        return Verdict("unsure", "Look first", (*sentences, f"{counted(len(warnings), 'warning').capitalize()} below."))
    if largest >= LARGE_SHARE:
        return Verdict("unsure", "Look first", tuple(sentences))
    return Verdict("good", "Ready to train", (*sentences, "There are no warnings."))


def _warnings(part: Part) -> list[str]:
    return [shown(warning, SENTENCE_LENGTH) for warning in part.texts("warnings")]


def _imports(part: Part) -> list[dict[str, str]]:
    return [
        {
            "name": shown(each.text("import"), 24) or "?",
            "kind": IMPORT_KINDS.get(each.text("kind"), shown(each.text("kind")) or "nothing"),
            "declaration": shown(each.text("declaration"), SENTENCE_LENGTH),
            "note": shown(each.text("note"), SENTENCE_LENGTH),
            "messages": "" if (messages := each.count("messages")) is None else whole(messages),
            "written": _span(each.text("first"), each.text("last")),
        }
        for each in part.parts("provenance")
    ]


def _span(first: str, last: str) -> str:
    return " – ".join(dict.fromkeys(date(each) for each in (first, last) if each))


def _facts(part: Part) -> list[Fact]:
    names = {"train": "examples to learn", "held_out": "held out to judge by", "authors": "people", "channels": "channels"}
    return [Fact(name, NOT_MEASURED if (value := _count(part, key)) is None else whole(value)) for key, name in names.items()]


def _funnel(part: Part) -> list[Bar]:
    messages, train, held_out = _count(part, "messages"), _count(part, "train"), _count(part, "held_out")
    examples = None if train is None and held_out is None else (train or 0) + (held_out or 0)
    steps = (
        ("Messages imported", messages, "everything that was read", ""),
        ("Candidates", _count(part, "candidates"), "liked enough, by people who may be learnt from, as an answer to somebody", ""),
        ("Examples", examples, "liked enough, cleaned, without doubles", "adapter"),
        ("… of them to learn", train, "", "adapter"),
        ("… of them held out", held_out, "the latest; never learnt, only judged by", "adapter"),
    )
    return [
        Bar(name, NOT_MEASURED if value is None else whole(value), bar(value or 0, messages or 0), about, tone)
        for name, value, about, tone in steps
    ]


def _tally(counts: tuple[tuple[str, int], ...], words: Mapping[str, str]) -> list[Bar]:
    most, total = max((count for _, count in counts), default=0), sum(count for _, count in counts)
    return [Bar(words.get(name) or _spoken(name), f"{whole(count)} ({share_of(count, total)})", bar(count, most)) for name, count in counts]


def _spoken(name: str) -> str:
    """EMAIL_ADDRESS and too-short as words."""
    text = shown(name)
    words = re.sub(r"[_-]+", " ", text) if re.fullmatch(r"[\w-]+", text) else text
    return (words.lower() if words.isupper() else words)[:1].upper() + (words.lower() if words.isupper() else words)[1:]


def _curve(part: Part) -> Curve | None:
    curve = part.part("curve")
    if curve is None:
        return None
    cutoff, sharpness = curve.number("cutoff"), curve.number("sharpness")
    return Curve(cutoff, sharpness, curve.number("floor") or 0.0) if cutoff and sharpness and cutoff > 0 and sharpness > 0 else None


def _cutoff_caption(curve: Curve) -> str:
    sentence = (
        f"Two settings draw the curve: at the cutoff ({exactly(curve.cutoff)}) a message counts half, "
        "and a larger sharpness makes the curve steeper."
    )
    if curve.least:
        sentence += f" Below a reward of {brief(curve.least)} the weight is under {exactly(curve.floor)} and the message is left out."
    return sentence


def _authors_sentence(part: Part) -> str:
    recipe = part.part("recipe")
    cap = recipe.number("author_share") if recipe else None
    capped = sum(author.flag("capped") for author in part.parts("authors"))
    sentence = f"Nobody may have more than {share(cap)} of the say. " if cap else ""
    held = f"{counted(capped, 'person was', 'people were')} held back to that." if capped else "Nobody had to be held back." if cap else ""
    return f"{sentence}{held}".strip() or "How the say is shared among people."


def _authors(part: Part) -> list[Bar]:
    authors = part.parts("authors")
    most = max((author.number("share") or 0 for author in authors), default=0)
    return [
        Bar(
            shown(author.text("name")) or "?",
            f"{whole(author.count('examples') or 0)} ({share(author.number('share') or 0)})",
            bar(author.number("share") or 0, most),
            "held back to the cap" if author.flag("capped") else "",
        )
        for author in authors
    ]


def _channels(part: Part) -> list[Bar]:
    channels = part.parts("channels")
    most = max((channel.count("examples") or 0 for channel in channels), default=0)
    return [
        Bar(
            shown(channel.text("name")) or "?",
            whole(channel.count("examples") or 0),
            bar(channel.count("examples") or 0, most),
            "" if (messages := channel.count("messages")) is None else f"of {counted(messages, 'message')}",
        )
        for channel in channels
    ]


def _months(part: Part) -> tuple[Month, ...]:
    """In order; a month without anything between others is there too, so that the time is drawn as it went."""
    found: dict[int, Month] = {}
    for each in part.parts("months"):
        start = moment(f"{each.text('month')}-01") if re.fullmatch(r"\d{4}-\d{2}", each.text("month")) else None
        if start:
            found[12 * start.year + start.month - 1] = Month(start, each.count("messages") or 0, each.count("examples") or 0)
    if found and max(found) - min(found) < MOST_MONTHS:
        for missing in range(min(found), max(found)):
            found.setdefault(missing, Month(datetime(missing // 12, missing % 12 + 1, 1, tzinfo=UTC), 0, 0))
    return tuple(found[place] for place in sorted(found)[-MOST_MONTHS:])


def _months_sentence(part: Part) -> str:
    border = part.text("held_out_from")
    if not border:
        return "How many messages and examples each month gave."
    return f"What was written from {date(border)} on is held out: the model never learns it, so it can be judged by what it does not know."


def _privacy(part: Part) -> list[Fact]:
    consent, toxicity = part.part("consent"), part.part("toxicity")
    facts = []
    if consent:
        left_out = [
            counted(number, *words)
            for number, words in (
                (consent.count("left_out_authors"), ("person", "people")),
                (consent.count("left_out_messages"), ("message", "messages")),
            )
            if number
        ]
        mode = consent.text("mode")
        facts.append(Fact("Learnt from", CONSENT.get(mode) or _spoken(mode) or NOT_MEASURED))
        facts.append(Fact("Left out for lack of consent", listed(left_out) or "nobody"))
    if toxicity:
        level = toxicity.text("level")
        facts.append(Fact("Toxicity filter", TOXICITY_LEVELS.get(level) or _spoken(level) or NOT_MEASURED))
        facts.append(Fact("Refused by it", counted(toxicity.count("refused") or 0, "message")))
    if (duplicates := part.count("duplicates")) is not None:
        facts.append(Fact("Near-duplicates left out", whole(duplicates)))
    return facts or [Fact("Consent", NOT_MEASURED)]


def _details(part: Part) -> list[Fact]:
    conversations = (counts.part("conversations") if (counts := part.part("counts")) else None) or Part({}, "", "")
    sides = [
        f"{whole(number)} {words}"
        for key, words in (("train", "to learn"), ("held_out", "held out"))
        if (number := conversations.count(key))
    ]
    facts = [
        ("Content hash", part.text("content_hash")),
        ("Renderer", part.text("renderer")),
        ("Conversations", listed(sides)),
        ("Made", part.text("made_at")),
    ]
    return [Fact(name, shown(value, 120)) for name, value in facts if value]


def _settings(part: Part) -> list[Fact]:
    recipe = part.part("recipe")
    values = {} if recipe is None else {str(name): value for name, value in recipe.content.items() if value is not None}
    return [
        Fact(_spoken(name), ("yes" if value else "no") if isinstance(value, bool) else shown(str(value))) for name, value in values.items()
    ]
