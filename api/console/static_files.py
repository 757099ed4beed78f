"""The console's own files: served from the package, named by their content, so that browsers keep them for good.

What a page always asks for together is one file on the wire: each request costs a phone a round of its own.
"""

import hashlib
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC_FOLDER = Path(__file__).parent / "static"
STATIC_PATH = "/static"
# By the name on the wire: the files that it is made of, in the order in which they run, or styles override each other.
BUNDLES = {
    "console.css": tuple(
        f"style/{part}.css"
        for part in ("tokens", "frame", "controls", "records", "lists", "charts", "phone", "job", "pages")
    ),
    "base.js": ("vendor/htmx-2.0.11.min.js", "console.js", "forms.js", "leaving.js"),
    "chart.js": ("vendor/uplot-1.6.32.iife.min.js", "charts.js"),
    "job.js": ("outbox.js", "kept_pages.js"),
}


@cache
def read_asset(name: str) -> bytes:
    """The bytes of a static file or of a bundle."""
    parts = BUNDLES.get(name, (name,))
    between = b"\n;\n" if name.endswith(".js") else b"\n"
    return between.join((STATIC_FOLDER / part).read_bytes() for part in parts)


@cache
def asset_url(name: str) -> str:
    """The address of a static file with its hash: a changed file has a new address."""
    return f"{STATIC_PATH}/{name}?v={hashlib.sha256(read_asset(name)).hexdigest()[:12]}"


class ConsoleStaticFiles(StaticFiles):
    """Static files that a browser keeps for a year when it asked by hash, and asks about again otherwise."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC_FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file; Cache-Control by whether the address carries the hash."""
        if path in BUNDLES and scope["method"] in ("GET", "HEAD"):
            content = read_asset(path) if scope["method"] == "GET" else b""
            response = Response(content, media_type="text/javascript" if path.endswith(".js") else "text/css")
        else:
            response = await super().get_response(path, scope)
        hashed = scope.get("query_string", b"").startswith(b"v=")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return response
