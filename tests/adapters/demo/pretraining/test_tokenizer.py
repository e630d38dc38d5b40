from adapters.demo.pretraining.tokenizer import SPECIAL, train_tokenizer

TEXTS = ["hello there, how are you", "hello again, who are you"]


def test_any_text_survives_the_round_trip() -> None:
    """Byte-level: nothing is out of vocabulary, not even a script that was never seen."""
    tokenizer = train_tokenizer(TEXTS, 300, 128)
    text = "zażółć 日本 🧔 hello"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_chat_template_is_chatml() -> None:
    """A system message, several turns and the prompt for a reply render as ChatML."""
    tokenizer = train_tokenizer(TEXTS, 300, 128)
    chat = [{"role": "system", "content": "be"}, {"role": "user", "content": "hi"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>system\nbe<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_special_tokens_are_single_and_end_the_turn() -> None:
    """Each special token is one token; the end of a turn is the end of a reply."""
    tokenizer = train_tokenizer(TEXTS, 300, 128)
    assert [len(tokenizer(token)["input_ids"]) for token in SPECIAL] == [1, 1, 1]
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
