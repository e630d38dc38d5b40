"""Keys, tokens and passwords are found; laughter is not."""

import base64
import random
import string
import uuid

import pytest

from adapters.curation.privacy.secrets import SecretFinder
from adapters.curation.privacy.spans import replaced
from tests.adapters.curation.privacy.chat import BANTER

FINDER = SecretFinder()
_LETTERS = string.ascii_letters + string.digits


def drawn(length: int, seed: int = 1, letters: str = _LETTERS) -> str:
    return "".join(random.Random(seed).choices(letters, k=length))


def cleaned(text: str) -> str:
    text = replaced(text, FINDER.known(text))[0]
    return replaced(text, FINDER.random(text))[0]


def jwt() -> str:
    parts = ('{"alg":"HS256","typ":"JWT"}', '{"sub":"1234567890","name":"x"}')
    return ".".join([*(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts), drawn(43)])


SECRETS = {
    "Discord bot token": f"MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.{drawn(27)}",
    "Discord user token": f"mfa.{drawn(84)}",
    "Discord webhook": f"https://discord.com/api/webhooks/123456789012345678/{drawn(68)}",
    "Discord webhook of the beta": f"https://canary.discordapp.com/api/v10/webhooks/123456789012345678/{drawn(68)}",
    "Troupe's key": f"tr_0a1b2c3d_{drawn(43)}",
    "JSON web token": jwt(),
    "AWS": f"AKIA{drawn(16, letters=string.ascii_uppercase + string.digits)}",
    "GitHub": f"ghp_{drawn(36)}",
    "GitHub, new": f"github_pat_{drawn(60)}",
    "GitLab": f"glpat-{drawn(20)}",
    "Slack": f"xoxb-123456789012-123456789012-{drawn(24)}",
    "Stripe": f"sk_live_{drawn(24)}",
    "OpenAI": f"sk-proj-{drawn(48)}",
    "Hugging Face": f"hf_{drawn(34)}",
    "Google": f"AIza{drawn(35)}",
    "npm": f"npm_{drawn(36)}",
    "Telegram": f"123456789:{drawn(35)}",
    "password": "password: hunter22",
    "password, announced": "my password is: hunter22",
    "password, in a sentence": "my password is tr0ub4dor3",
    "key": "API_KEY=abc123def",
    "database": "postgres://troupe:pa55w0rd@db.internal:5432/troupe",
    "hexadecimal": drawn(32, letters="0123456789abcdef"),
    "base64": base64.b64encode(bytes(range(7, 250, 8))).decode(),
    "licence": "AB1DE-12F4G-7H8J9-K1L2M-N3P4Q",
    "in wide letters": f"ｇｈｐ_{drawn(36)}",
}


@pytest.mark.parametrize("what", SECRETS)
@pytest.mark.parametrize("around", ["{}", "look: `{}` lol", "key={}", "||{}||", "({})\nok"])
def test_a_secret_is_found(what: str, around: str) -> None:
    """Alone, in a sentence, in code marks or behind a bar; nothing of it is left."""
    secret = SECRETS[what]
    left = cleaned(around.format(secret))
    assert "[secret]" in left
    assert not any(secret[start : start + 8] in left for start in range(len(secret) - 8))


def test_a_private_key_goes_with_all_its_lines() -> None:
    """Also one whose end was cut off."""
    lines = "\n".join(drawn(64, seed) for seed in range(5))
    whole = f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"
    assert cleaned(f"here\n{whole}\nlol") == "here\n[secret]\nlol"
    assert cleaned(f"here\n{whole[:200]}") == "here\n[secret]"
    assert cleaned(f"a {whole} b {whole} c") == "a [secret] b [secret] c"


@pytest.mark.parametrize(
    "invite", ["discord.gg/abcdef", "https://discord.com/invite/xyz-abc", "http://www.discordapp.com/invite/A1", "dsc.gg/x9"]
)
def test_an_invitation_is_not_handed_on(invite: str) -> None:
    """A model would send people to servers, or make servers up."""
    assert cleaned(f"join {invite} now") == "join [invite] now"


@pytest.mark.parametrize("text", BANTER)
def test_banter_is_no_secret(text: str) -> None:
    """Long laughter, smashed keyboards, shouting, long words and names in programs stay."""
    assert cleaned(text) == text


def test_most_of_what_a_machine_drew_is_found() -> None:
    """Of random words of 24 letters and more, as keys are written, at least 95 of 100."""
    kinds = [drawn(24, seed) for seed in range(400)] + [drawn(32, seed, _LETTERS + "-_") for seed in range(400)]
    kinds += [random.Random(seed).randbytes(20).hex() for seed in range(400)]
    assert sum(cleaned(each) == "[secret]" for each in kinds) >= 0.95 * len(kinds)
    assert cleaned(f"id {uuid.UUID(int=random.Random(1).getrandbits(128))}") != ""


def test_nothing_is_said_about_a_secret(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Neither printed nor logged, at whatever level."""
    with caplog.at_level(0):
        for secret in SECRETS.values():
            cleaned(secret)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
