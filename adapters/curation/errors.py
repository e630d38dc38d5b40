"""What can go wrong between an import and a dataset.

CurationError
├── BrokenDataset   the folder holds no dataset, or not the one that its card names
└── NothingToLearn  too few examples are left, or all of one person's
"""


class CurationError(Exception):
    """One sentence: what happened, and what to do."""


class BrokenDataset(CurationError):
    pass


class NothingToLearn(CurationError):
    pass
