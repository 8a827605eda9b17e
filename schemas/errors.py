"""Exceptions for errors that a user can cause or meet.

All derive from :class:`SerError`. The message is one or a few short sentences with the offending value and
the next step. The command line prints it without a traceback and exits with :attr:`SerError.exit_code`.
"""

from __future__ import annotations


class SerError(Exception):
    """Base of all errors that are reported to the user without a traceback."""

    exit_code = 1
    """1: a valid request failed; 2: the request itself was invalid."""


class StoppedError(SerError):
    """The user stopped the command; the message says how to resume it."""

    exit_code = 130


class UsageError(SerError):
    """The request is invalid as given."""

    exit_code = 2


class SpecError(UsageError, ValueError):
    """A feature specification or recipe is malformed or contradicts itself."""


class UnknownNameError(UsageError, LookupError):
    """The requested corpus, recipe, model or feature does not exist."""


class CorpusNotFoundError(SerError, FileNotFoundError):
    """There is no corpus in the folder that was searched."""


class CorpusError(SerError):
    """The description of a corpus (``corpus.toml`` or a speaker table) is unusable."""


class RecordingError(SerError):
    """A recording is unusable. The message becomes its ``problem`` in the manifest."""


class BadRecordingsError(SerError):
    """``--strict`` was given and some recordings are unusable."""


class StoreNotFoundError(SerError, FileNotFoundError):
    """There is no feature store at the given path."""


class StoreUnfinishedError(SerError):
    """The store has no valid ``store.json``: its build was stopped or is still running."""


class StoreConflictError(SerError):
    """The existing store was built with a different specification."""


class StoreBusyError(SerError):
    """Another process is building the store."""


class StoreDamagedError(SerError):
    """An object of the store is missing, or its contents are not those that were written."""


class StoreChangedError(SerError):
    """The store was rebuilt while it was open."""


class StorageError(SerError, OSError):
    """The disk is full, read-only or refuses access."""


class MemoryShortError(SerError):
    """There is not enough memory for what was requested."""


class OutputError(SerError):
    """Standard output is closed or full."""


class WorkerLostError(SerError):
    """A worker process of a build ended unexpectedly."""


class ClusterError(SerError):
    """The workers of a Dask cluster cannot be reached or cannot do the work."""


class LeakageError(SerError):
    """A split puts a speaker or recording on more than one side."""


class SplitError(SerError):
    """The requested split cannot be made from these clips."""


class RunError(SerError):
    """A training run cannot be started, resumed or read."""


class DeviceError(UsageError):
    """The requested device is not available."""


class EncoderError(SerError):
    """The weights of an encoder are missing, damaged or of a kind that is not supported."""


class FeatureSourceError(SerError):
    """A file with features of another tool is unusable, or does not fit the clips of a store."""


class MissingWeightsError(EncoderError):
    """The weights of an encoder are not on this machine."""
