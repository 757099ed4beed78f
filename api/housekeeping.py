"""What this program removes after its time: ended sessions, unfinished sign-ins, old idempotency keys, old changes."""

import logging
import threading
from datetime import timedelta

from api.settings import ApiSettings
from api.sign_in import find_idle
from api.state import now
from store.attachment_files import remove_abandoned
from store.change_log import remove_changes_before
from store.idempotency import remove_answers_before
from store.pool import DATABASE_GONE, RETRYABLE, Pool
from store.provider_identities import remove_expired_flows
from store.second_factors import remove_expired_pending
from store.sessions import remove_expired_sessions

log = logging.getLogger("forewarn.api")
EVERY_S = 600.0
KEYS_KEPT = timedelta(hours=24)


def keep_house(pool: Pool, settings: ApiSettings, stop: threading.Event) -> None:
    """Removes what is over, every ten minutes until `stop`; several processes doing it at once do no harm."""
    while not stop.is_set():
        try:
            remove_what_is_over(pool, settings)
        except (*DATABASE_GONE, *RETRYABLE, OSError) as error:
            log.warning("housekeeping failed and will be tried again: %s", error)
        stop.wait(EVERY_S)


def remove_what_is_over(pool: Pool, settings: ApiSettings) -> None:
    """One round."""
    at = now()
    with pool.connection() as conn:
        remove_expired_sessions(conn, at=at, idle=find_idle(settings))
        remove_expired_pending(conn, at=at)
        remove_expired_flows(conn, at=at)
        remove_answers_before(conn, at - KEYS_KEPT)
        remove_changes_before(conn, at - timedelta(hours=settings.change_log_hours))
    remove_abandoned(settings.attachments, 2 * settings.upload_seconds + EVERY_S)
