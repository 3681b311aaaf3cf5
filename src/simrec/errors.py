"""Everything simrec raises on purpose, in one tree.

    SimrecError            the root: catch this to catch them all
    ├── UsageError         the command or the call is wrong; the CLI exits with 2
    │   └── SettingsError  simrec.toml or a SIMREC_ variable is wrong
    ├── NotFoundError      an article, snapshot, model or file that is not there
    ├── InputError         a source that cannot be read at all (single records become rejects instead)
    ├── GateError          a snapshot does not hold what the gate asks for, and there is no other to show
    ├── ModelError         a model cannot be loaded, or its checksum does not match
    ├── ClusterError       a cluster cannot be used, or a task of a build failed there for good
    └── StoreError         the workspace's store is broken, locked, full, or from another version
        ├── ConflictError  another process changed what was to be changed; it can be tried again
        │   └── StaleError somebody else did, on purpose: look at it before you try again
        └── LockedError    another command is at work in the workspace, and did not end in time

Messages are one line and say what to do.
"""

from __future__ import annotations


class SimrecError(Exception):
    """Root of simrec's errors."""


class UsageError(SimrecError):
    """The command line or a call's arguments are wrong."""


class SettingsError(UsageError):
    """A setting has a value that cannot be used."""


class NotFoundError(SimrecError):
    """Something named by the user does not exist."""


class InputError(SimrecError):
    """A source of articles or picks cannot be read at all."""


class ModelError(SimrecError):
    """A model cannot be loaded or is not what it claims to be."""


class ClusterError(SimrecError):
    """A Ray cluster cannot be used, or a task on it failed again and again."""


class GateError(SimrecError):
    """A snapshot was refused, and nothing else can be shown."""


class StoreError(SimrecError):
    """The store cannot be read or written."""


class ConflictError(StoreError):
    """The store was changed by another process meanwhile."""


class StaleError(ConflictError):
    """Somebody else has changed what was to be changed since it was looked at."""


class LockedError(StoreError):
    """Another command is at work in the workspace."""
