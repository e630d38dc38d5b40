"""How fast messages are cleaned, and what the filters cost: `.venv/bin/python -m tests.adapters.curation.privacy.bench_cleaning`."""

import resource
import time

_BEGAN = time.perf_counter()

from adapters.curation.privacy.cleaner import TextCleaner  # noqa: E402  # the import is measured
from adapters.curation.privacy.consent import Consent  # noqa: E402
from adapters.curation.privacy.key import make_key  # noqa: E402
from adapters.curation.privacy.people import CommunityPeople  # noqa: E402
from adapters.curation.privacy.toxicity import Level, ToxicityFilter  # noqa: E402
from tests.adapters.curation.privacy.chat import BANTER  # noqa: E402

_DATA = ("call me +49 151 23456789", "mail a@b.com", "<@2> get over here", "john was late again", "https://youtube.com/watch?v=abc")
_NAMES = {"1": "Will", "2": "John Smith", "3": "xX_Slayer_Xx"}


def main() -> None:
    """A line a level: messages a second, of chat of which a tenth holds something to take out. CPU time of one thread."""
    print(f"imports: {time.perf_counter() - _BEGAN:.1f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
    for level in Level:
        cleaner = TextCleaner(CommunityPeople(make_key(), Consent()), ToxicityFilter(level))
        began, done = time.process_time(), 0
        while time.process_time() - began < 5:
            for text in (*BANTER, *_DATA):
                cleaner.clean(text, _NAMES)
                done += 1
        print(f"{level.value}: {done / (time.process_time() - began):,.0f} messages/s")
    print(f"peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
