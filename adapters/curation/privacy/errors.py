"""What can go wrong around the privacy of an import.

CurationError
└── PrivacyError
    ├── BadProvenance   nothing was declared, nothing that we know, or something that the source contradicts
    ├── BadList         a list of people that cannot be read
    ├── BrokenPeople    the workspace's key or its lists of consent are not what they were
    └── MissingModel    a language model was asked for that is not installed
"""

from adapters.curation.errors import CurationError


class PrivacyError(CurationError):
    """One sentence: what happened, and what to do. Never holds an id, a name or a text of anybody."""


class BadProvenance(PrivacyError):
    pass


class BadList(PrivacyError):
    pass


class BrokenPeople(PrivacyError):
    pass


class MissingModel(PrivacyError):
    pass
