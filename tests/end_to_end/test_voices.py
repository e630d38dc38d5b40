"""Two adapters in one engine sound like their two communities, and the bare base like neither."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import OpenAI

from adapters.evaluation.voices import VoiceClassifier, held_out_messages
from tests.end_to_end.stack import API_KEY, COMMUNITIES, Stack

pytestmark = pytest.mark.engine

PROMPTS = [
    "hello everyone", "who is going to win tonight?", "what did you do last weekend?", "tell me a joke", "I am so tired today",
    "how do I exit vim?", "did you see the game?", "my computer is slow again", "what should I eat for dinner?", "good morning!",
    "any plans for friday?", "I broke something at work", "is it worth upgrading?", "why is everyone so quiet?", "I have a question",
    "what do you think about the new one?", "can someone help me?", "it is raining again", "what is the best advice you ever got?",
    "that was terrible", "who is the best of all time?", "I just got a new job", "what are you listening to?", "do you remember 2010?",
    "please explain it to me", "I lost my keys", "how was the trip?", "nobody ever answers me", "what is wrong with it?", "good night all",
]  # fmt: skip


def test_each_adapter_speaks_in_its_community_s_voice(stack: Stack, record_property: Callable[[str, object], None]) -> None:
    """Of 30 replies each, drawn in shared batches, a word-frequency classifier fitted on held-out messages knows 90 %; of the base's
    it claims at most 65 % for either."""
    classifier = VoiceClassifier.fit({name: held_out_messages(stack.demo / "exports" / name) for name in COMMUNITIES})

    def ask(task: tuple[str, str]) -> list[tuple[str, str, str]]:
        model, prompt = task
        with OpenAI(base_url=stack.v1, api_key=API_KEY, max_retries=0, timeout=120) as client:
            answer = client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": prompt}],
                max_tokens=48,
                temperature=0.7,
                seed=11,
                n=4 if model == "base" else 1,  # near chance is a coin's business: 30 throws would stray past 65 % one time in ten
            )
            return [(model, prompt, choice.message.content or "") for choice in answer.choices]

    tasks = [(model, prompt) for prompt in PROMPTS for model in (*COMMUNITIES, "base")]
    with ThreadPoolExecutor(12) as pool:
        replies = [reply for each in pool.map(ask, tasks) for reply in each]
    attributed = {model: [classifier.classify(reply) for asked, _, reply in replies if asked == model] for model in (*COMMUNITIES, "base")}
    rates = {name: attributed[name].count(name) / len(attributed[name]) for name in COMMUNITIES}
    base = {name: attributed["base"].count(name) / len(attributed["base"]) for name in COMMUNITIES}
    for model, prompt, reply in replies:
        print(f"{model:12} {prompt:40} {reply}")
    record_property("replies attributed to their community", {**rates, "base": base})
    assert all(rate >= 0.9 for rate in rates.values()), rates
    assert all(share <= 0.65 for share in base.values()), base
