"""What can go wrong between a card and its page.

PageError
└── BrokenCard   the card is not of the shape that these pages draw, or holds a number that is none
"""


class PageError(Exception):
    """One sentence: what happened, and what to do."""


class BrokenCard(PageError):
    pass
