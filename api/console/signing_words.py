"""Why a signature could not be made, as a sentence: the same on every page that asks for a password again."""

from datetime import timedelta

from api.console.instants import name_duration
from api.console.page import View
from api.problems import ProblemError
from api.sign_in import SignInRefused


def say_unsigned(view: View, refused: SignInRefused) -> str:
    """Why this password signs nothing: wrong, none there to sign with, or locked for a while."""
    return _say(view, refused.reason, refused.wait_s)


def say_unsigned_problem(view: View, problem: ProblemError) -> str | None:
    """The same of what `api.signing` refused; None where the problem is another one."""
    reason = problem.extra.get("signature")
    return _say(view, reason, float(problem.headers.get("Retry-After", 0))) if isinstance(reason, str) else None


def _say(view: View, reason: str, wait_s: float) -> str:
    if reason == "locked":
        return view.t("signing.locked", span=name_duration(timedelta(seconds=max(wait_s, 1)), view.language))
    if reason == "no_password":
        return view.t("signing.no_password")
    return view.t("signing.token" if reason == "token" else "signing.wrong_password")
