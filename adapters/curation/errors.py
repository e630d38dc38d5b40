"""What can go wrong between an import and a dataset.

CurationError
├── BrokenDataset   the folder holds no dataset, or not the one that its card names
├── BadRecipe       a setting that makes no sense
└── NothingToLearn  nothing says what people liked, or too few examples are left
"""


class CurationError(Exception):
    """One sentence: what happened, and what to do."""


class BrokenDataset(CurationError):
    pass


class BadRecipe(CurationError):
    pass


class NothingToLearn(CurationError):
    pass
