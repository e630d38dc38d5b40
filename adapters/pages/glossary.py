"""Plain words for the names that cards use. A name that is not here is shown as it is."""

IMPORT_KINDS = {
    "own-server-consent": "Own server, with consent",
    "own-messages": "Own messages",
    "public-archive": "Public archive",
    "licensed": "Licensed",
    "synthetic": "Made by a program",
}
CONSENT = {"opt-out": "Everybody who did not object", "opt-in": "Only those who agreed"}
PERSONAL_DATA = {
    "EMAIL_ADDRESS": "E-mail addresses",
    "PHONE_NUMBER": "Phone numbers",
    "IP_ADDRESS": "IP addresses",
    "CREDIT_CARD": "Card numbers",
    "IBAN_CODE": "Bank accounts",
    "URL": "Links",
    "PERSON": "Names of people",
    "LOCATION": "Places",
    "US_SSN": "Social security numbers",
    "CRYPTO": "Wallet addresses",
    "MAC_ADDRESS": "Network cards",
    "STREET": "Streets",
    "PLACE": "Places",
    "ID": "Numbers of accounts or messages",
    "link": "Links",
    "name": "Names of members",
    "secret": "Secrets",
    "invite": "Invites",
}
TOXICITY_LEVELS = {
    "off": "Off: nothing is refused for its words",
    "slurs": "Slurs: messages with slurs are refused",
    "strict": "Strict: slurs and insults are refused",
}
GATES = {"tax": "points", "overlap": "points", "mentions": "points", "toxicity": "points"}
"""How the numbers of a gate are written, where they are shares."""
