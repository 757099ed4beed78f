"""The seal of second factors, by the key of FOREWARN_SIGN_IN_KEY_FILE."""

from pathlib import Path

from store import seals
from store.seals import Seal, Sealed

__all__ = ["Seal", "load_seal"]
SECOND_FACTORS = Sealed(
    "second factors",
    "A second factor was sealed by a key that is not in FOREWARN_SIGN_IN_KEY_FILE; put that key back, or "
    "remove the factors and have them set up again.",
)


def load_seal(file: Path) -> Seal:
    """The seal by the keys of that file, which is made with a random key where there is none.

    Raises
    ------
    ConfigurationError
        Somebody else may read the file, or what it holds is no key.
    """
    return seals.load_seal(file, SECOND_FACTORS)
