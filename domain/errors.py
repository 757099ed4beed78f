"""Broken promises, as exceptions; the docstring of each is the message that a person reads.

Expected bad input is never one of these: it is a value (a `Rejection`, a `Refusal`).
"""


class ForewarnError(Exception):
    """Something that Forewarn promised did not hold."""

    def __init__(self, detail: str = "") -> None:
        message = (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(f"{message} {detail}".strip())
        self.detail = detail


class ConfigurationError(ForewarnError):
    """A setting is missing or wrong."""


class ProfileError(ForewarnError):
    """The device-model profile cannot be used."""


class MigrationChangedError(ForewarnError):
    """A migration that was already applied has been edited."""


class DatabaseNotMigratedError(ForewarnError):
    """The database has no Forewarn schema of this version; run `forewarn migrate`."""


class RecordingError(ForewarnError):
    """The recording cannot be read."""


class BlockCorruptError(ForewarnError):
    """A reading block does not decode to what was encoded."""


class AttachmentDamagedError(ForewarnError):
    """The stored file is gone, or is not what was stored."""


class NotFoundError(ForewarnError):
    """There is no such record."""


class RowVersionConflictError(ForewarnError):
    """The record was changed by someone else in the meantime."""


class GuardRefusedError(ForewarnError):
    """A rule of the record's life-cycle refuses this change."""

    def __init__(self, guard: str, detail: str, about: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.guard = guard
        self.about = about  # of several records or lines the keys of those that it is about
