"""The secrets that sign webhooks: sealed for their endpoint by the key of FOREWARN_WEBHOOK_KEY_FILE."""

from collections.abc import Sequence
from pathlib import Path

from store.seals import Sealed, load_seal

SECRETS = Sealed(
    "secrets of webhooks",
    "A webhook's secret was sealed by a key that is not in FOREWARN_WEBHOOK_KEY_FILE; put that key back, or give "
    "the webhook a new secret.",
)


def seal_secret(key_file: Path, endpoint: str, secret: str) -> bytes:
    """The secret as it is kept; the first one makes the key.

    Raises
    ------
    ConfigurationError
        The file of keys cannot be used.
    """
    return load_seal(key_file, SECRETS).close(endpoint, secret)


def open_secrets(key_file: Path, endpoint: str, sealed: Sequence[bytes]) -> list[str]:
    """The secrets as receivers have them.

    Raises
    ------
    ConfigurationError
        There is no such file, it cannot be used, or it does not hold the key.
    """
    seal = load_seal(key_file, SECRETS, is_made=False)
    return [seal.open(endpoint, each) for each in sealed]
