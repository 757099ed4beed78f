"""How often somebody may guess: a lock with back-off per account, a ceiling per address."""

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock

FREE_FAILURES = 4  # mistyping is human
FIRST_LOCK_S = 30.0
LONGEST_LOCK_S = 900.0  # longer would hand an attacker a way to lock people out for good

ADDRESS_WINDOW = timedelta(minutes=10)
ADDRESS_FAILURES = 30  # a hospital's whole staff may share one address
KEPT = 10_000  # addresses and names remembered at once


def find_lock_seconds(failed_count: int) -> float:
    """For how long an account is locked after that many wrong passwords in a row: 0, then 30 s doubling to 15 min."""
    beyond = failed_count - FREE_FAILURES
    if beyond <= 0:
        return 0.0
    return min(FIRST_LOCK_S * 2.0 ** min(beyond - 1, 30), LONGEST_LOCK_S)


class AttemptLedger:
    """Failures per address, and per name that no account has, in this process's memory; bounded.

    Names without an account are locked by the same schedule as accounts: the answer never tells which names exist.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._addresses: OrderedDict[str, list[datetime]] = OrderedDict()
        self._names: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def find_wait(self, address: str, at: datetime) -> float:
        """Seconds for which nothing from this address is looked at; 0 when it may try."""
        with self._lock:
            failures = self._recent(address, at)
            if len(failures) < ADDRESS_FAILURES:
                return 0.0
            return (failures[-ADDRESS_FAILURES] + ADDRESS_WINDOW - at).total_seconds()

    def record_failure(self, address: str, at: datetime) -> None:
        """One wrong attempt from this address."""
        with self._lock:
            self._addresses[address] = [*self._recent(address, at), at][-ADDRESS_FAILURES:]
            self._addresses.move_to_end(address)
            while len(self._addresses) > KEPT:
                self._addresses.popitem(last=False)

    def record_unknown_name(self, name: str, at: datetime) -> float:
        """One attempt with a name that no account has; seconds for which it is locked now, 0 when it may be tried."""
        with self._lock:
            count, locked_until = self._names.get(name, (0, at))
            if locked_until > at:
                return (locked_until - at).total_seconds()
            self._names[name] = (count + 1, at + timedelta(seconds=find_lock_seconds(count + 1)))
            self._names.move_to_end(name)
            while len(self._names) > KEPT:
                self._names.popitem(last=False)
            return 0.0

    def _recent(self, address: str, at: datetime) -> list[datetime]:
        return [failure for failure in self._addresses.get(address, []) if failure > at - ADDRESS_WINDOW]
