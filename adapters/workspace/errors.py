"""What can go wrong with a community's workspace.

WorkspaceError
├── NoImports     nothing was imported for this community yet
├── NoDataset     there is no dataset, or not this one
├── NoRun         there is no trained adapter, or not this one
├── Forgotten     the run learnt from somebody who is to be forgotten
├── Busy          another command is working on the same community
├── DiskFull      no room for what has to be written; nothing half-written is used
└── Broken        something in the workspace cannot be read or written, or is not what it should be

Each message is one sentence: what happened, what to do.
"""


class WorkspaceError(Exception):
    """Base of everything that the workspace raises on purpose."""


class NoImports(WorkspaceError):
    pass


class NoDataset(WorkspaceError):
    pass


class NoRun(WorkspaceError):
    pass


class Forgotten(WorkspaceError):
    pass


class Busy(WorkspaceError):
    pass


class DiskFull(WorkspaceError):
    pass


class Broken(WorkspaceError):
    pass
