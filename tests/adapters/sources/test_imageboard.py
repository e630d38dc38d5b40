import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.sources.html_text import read_body
from adapters.sources.message import Reaction
from tests.adapters.sources.exports import read


def post(number: int, com: str | None = None, *, thread: int = 100, **more: Any) -> dict[str, Any]:
    raw = {"no": number, "resto": 0 if number == thread else thread, "time": 1_500_000_000 + number, "name": "Anonymous"} | more
    return raw if com is None else raw | {"com": com}


def quote(number: int) -> str:
    return f'<a href="#p{number}" class="quotelink">&gt;&gt;{number}</a><br>'


def write(path: Path, *posts: Any) -> Path:
    path.write_text(json.dumps({"posts": list(posts)}))
    return path


def test_a_posts_reward_is_how_many_posts_quote_it(tmp_path: Path) -> None:
    """Each quoting post counts once, however often it quotes; what quotes a later post, or itself, counts nothing."""
    posts = [
        post(100, "op"),
        post(101, quote(100) + quote(100) + "a"),
        post(102, quote(101) + quote(100) + "b"),
        post(103, quote(103) + quote(999) + "c"),
    ]
    messages, report = read(write(tmp_path / "t.json", *posts))
    assert {number: each.reactions for number, each in messages.items()} == {100: (Reaction(2),), 101: (Reaction(1),), 102: (), 103: ()}
    assert [each.reply_to for each in messages.values()] == [None, 100, 101, None]
    assert {each.channel for each in messages.values()} == {"100"}
    assert report.reacted == 2


def test_a_thread_saved_twice_counts_once(tmp_path: Path) -> None:
    """The later copy of a growing thread adds its posts and quotes; those of both are one."""
    posts = [post(100, "op"), post(101, quote(100) + "a")]
    write(tmp_path / "1.json", *posts)
    write(tmp_path / "2.json", *posts, post(102, quote(100) + "b"))
    messages, report = read(tmp_path)
    assert messages[100].reactions == (Reaction(2),)
    assert report.dropped == {"seen in another file": 2}


def test_quotes_reach_across_files_and_threads(tmp_path: Path) -> None:
    """A quote of another thread's post is one too, whichever file is read first."""
    write(tmp_path / "1.json", post(200, quote(100) + "see there", thread=200))
    write(tmp_path / "2.json", post(100, "op"))
    assert read(tmp_path)[0][100].reactions == (Reaction(1),)


def test_one_thread_a_line(tmp_path: Path) -> None:
    """Dumps with a thread on every line are read; a line cut short gives the posts it has."""
    lines = [
        json.dumps({"posts": [post(100, "one")]}),
        json.dumps({"posts": [post(200, "two", thread=200), post(201, "three", thread=200)]}),
    ]
    path = tmp_path / "dump.ndjson"
    path.write_text("\n".join(lines)[:-30])
    messages, report = read(path)
    assert list(messages) == [100, 200]
    assert report.dropped == {"rest of a broken file": 1}


def test_anonymous_posts_are_by_different_people(tmp_path: Path) -> None:
    """Only an id, within its thread, or a trip code says that two posts are by one person."""
    posts = [post(100, "a"), post(101, "b"), post(102, "c", id="Xy"), post(103, "d", id="Xy"), post(104, "e", trip="!T", name="Bo")]
    other = post(200, "f", thread=200, id="Xy")
    messages, _ = read(write(tmp_path / "t.json", *posts, other))
    authors = [each.author_id for each in messages.values()]
    assert authors[2] == authors[3]
    assert len(set(authors)) == 5
    assert messages[104].author == "Bo"
    assert messages[100].at == datetime.fromtimestamp(1_500_000_100, UTC)


@pytest.mark.parametrize(
    ("html", "text", "quotes"),
    [
        ("a<br>b", "a\nb", ()),
        ('<span class="quote">&gt;be me</span><br>&amp; you', ">be me\n& you", ()),
        ("long<wbr>word", "longword", ()),
        (quote(12) + "yes<br>" + quote(13) + "no", "yes\nno", (12, 13)),
        ('<span class="deadlink">&gt;&gt;14</span> gone', "gone", (14,)),
        ('<a href="/b/thread/1#p2" class="quotelink">&gt;&gt;2</a>', "", (2,)),
        ("<s>spoiler</s> &#039;q&#039;", "spoiler 'q'", ()),
        ("<script>alert(1)<br></script><style>x</style>ok", "ok", ()),
        ("1 < 2 <b", "1 < 2 <b", ()),
        ("&gt;&gt;&gt;/b/77 there", ">>>/b/77 there", ()),
    ],
)
def test_bodies_become_text(html: str, text: str, quotes: tuple[int, ...]) -> None:
    """Line breaks and greentext stay, tags and quoted numbers go, entities are letters, and nothing in it is run."""
    assert (read_body(html).text, read_body(html).quotes) == (text, quotes)


@pytest.mark.parametrize("piece", ["<!", "<a ", '<a b="', "</", "<!--", "<script>", "<br", "&#", "<![", "<?", ">>1", "&gt;"])
def test_a_body_made_to_be_slow_is_not(piece: str) -> None:
    """Whatever is repeated, a body of the largest size takes milliseconds; a parser that looks back takes a minute for some."""
    start = time.process_time()
    read_body(piece * (60_000 // len(piece)))
    assert time.process_time() - start < 1


def test_posts_without_words_are_counted(tmp_path: Path) -> None:
    """Pictures without text, posts of no shape and endless ones are left out; a subject is part of the text."""
    posts = [post(100, "body", sub="Subject"), post(101), post(102, quote(100)), post(103, "x" * 70_000), {"no": "x"}, None]
    messages, report = read(write(tmp_path / "t.json", *posts))
    assert messages[100].text == "Subject\nbody"
    assert report.dropped == {"no text": 2, "longer than any chat message": 1, "malformed": 2}
