"""What a run of the command line answered, for tests that run it in their own process."""

from collections.abc import Callable
from dataclasses import dataclass

Run = Callable[..., "Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Exit code, standard output and standard error."""

    code: int
    out: str
    err: str
