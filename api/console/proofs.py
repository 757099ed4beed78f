"""Why an empty list may be believed: how many devices report, and when scoring last ran."""

from datetime import timedelta

from api.console.instants import name_age
from api.console.page import View
from store.devices import count_reporting
from store.heartbeats import load_heartbeats
from store.pool import Connection

STALE_AFTER = timedelta(minutes=1)


def load_proof(view: View, conn: Connection) -> str:
    """The sentence under "Nothing to decide"."""
    online, total = count_reporting(conn, customer_id=view.person.customer_id)
    beats = [beat.at for beat in load_heartbeats(conn) if beat.program == "anomaly"]
    if not beats:
        return view.t("inbox.proof_no_scoring", online=online, total=total)
    key = "inbox.proof_stale" if view.now - max(beats) > STALE_AFTER else "inbox.proof"
    ago = name_age(max(beats), view.now, view.language)
    return view.t(key, online=online, total=total, ago=ago)
