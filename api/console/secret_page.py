"""The page of a secret that is shown this once: a password, a token, the key of a webhook."""

from starlette.responses import Response

from api.console.page import View


def render_secret(view: View, *, title: str, label: str, secret: str, why: str, back: str) -> Response:
    """The secret under its `label`, why it is not shown again, and the way `back`."""
    return view.render("secret_once.html", title=title, label=label, secret=secret, why=why, back=back)
