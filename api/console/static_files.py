"""The console's own files: served from the package, named by their content, so that browsers keep them for good."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC_FOLDER = Path(__file__).parent / "static"
STATIC_PATH = "/static"


@cache
def asset_url(name: str) -> str:
    """The address of a static file with its hash: a changed file has a new address."""
    digest = hashlib.sha256((STATIC_FOLDER / name).read_bytes()).hexdigest()[:12]
    return f"{STATIC_PATH}/{name}?v={digest}"


class ConsoleStaticFiles(StaticFiles):
    """Static files that a browser keeps for a year when it asked by hash, and asks about again otherwise."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC_FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file; Cache-Control by whether the address carries the hash."""
        response = await super().get_response(path, scope)
        hashed = scope.get("query_string", b"").startswith(b"v=")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return response
