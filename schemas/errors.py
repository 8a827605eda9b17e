"""What can go wrong, as a tree of exceptions.

Every error that a user can cause or meet derives from :class:`SerError`. Its message is one sentence
(or a few short ones) that holds the offending value and the next step; the command line prints it
without a traceback and exits with :attr:`SerError.exit_code`.
"""

from __future__ import annotations


class SerError(Exception):
    """Base of all errors that are reported to the user as a sentence."""

    exit_code = 1
    """1: the request was right and failed; 2: the request itself was wrong."""


class StoppedError(SerError):
    """The user stopped the work; the message says how to go on with it."""

    exit_code = 130


class UsageError(SerError):
    """The request cannot be carried out as it was put."""

    exit_code = 2


class SpecError(UsageError, ValueError):
    """A feature specification or recipe is malformed or contradicts itself."""


class UnknownNameError(UsageError, LookupError):
    """A corpus, recipe, model or feature that does not exist was asked for."""


class CorpusNotFoundError(SerError, FileNotFoundError):
    """No corpus stands where it was looked for."""


class CorpusError(SerError):
    """A corpus's own description (``corpus.toml``, a speaker table) is unusable."""


class RecordingError(SerError):
    """One recording cannot be used. The message is its ``problem`` in the manifest."""


class BadRecordingsError(SerError):
    """``--strict`` was given and some recordings cannot be used."""


class StoreNotFoundError(SerError, FileNotFoundError):
    """There is no feature store at the path."""


class StoreUnfinishedError(SerError):
    """The store has no valid ``store.json``: a build was stopped or is under way."""


class StoreConflictError(SerError):
    """The store on disk was built with another specification."""


class StoreBusyError(SerError):
    """Another process is building the store."""


class StoreDamagedError(SerError):
    """An object of the store is missing or does not hold what was written."""


class StoreChangedError(SerError):
    """The store was rebuilt while it was open."""


class StorageError(SerError, OSError):
    """The disk is full, read-only or refuses access."""


class WorkerLostError(SerError):
    """A worker process of a build ended by itself."""


class ClusterError(SerError):
    """Workers of a Dask cluster cannot be reached, or cannot do the work."""


class LeakageError(SerError):
    """A split puts the same speaker or recording on two sides."""


class SplitError(SerError):
    """No split of the kind asked for can be made from these clips."""


class RunError(SerError):
    """A training run cannot be started, continued or read."""


class DeviceError(UsageError):
    """The device asked for is not there."""
