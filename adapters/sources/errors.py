"""What can be wrong with an export as a whole. What is wrong with one message is counted in the report and stops nothing.

SourceError
├── NothingThere      the path does not exist, or holds no file
├── NotAnExport       there are files, and none is of a kind that can be read; or they are of several kinds
├── Unreadable        no permission, a damaged or encrypted zip, a disk that fails
├── NoMessages        an export it is, and it holds nothing that a person wrote
└── NoRoom            the temporary index cannot be written

Each says in one sentence what happened and what to do.
"""


class SourceError(Exception):
    """The export cannot be used at all."""


class NothingThere(SourceError):
    """There is nothing at the path."""


class NotAnExport(SourceError):
    """What is at the path is of no known kind, or of more than one."""


class Unreadable(SourceError):
    """The bytes cannot be had."""


class NoMessages(SourceError):
    """Nothing is left to learn from."""


class NoRoom(SourceError):
    """The disk for temporary files is full or cannot be written."""
