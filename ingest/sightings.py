"""When each device and each series was last heard of: kept in memory, written down every few seconds."""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.reading import ReadingFlag
from ingest.batch import Batch
from ingest.device_table import DeviceTable
from ingest.resolve import NOTHING_YET
from store.pool import Connection
from store.readings import record_last_observed
from store.registry import Registry
from store.reports import DeviceSeen, record_seen

# Devices of one transaction: whoever stores a status report of one of them waits for no more than these.
SEEN_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Unwritten:
    """What is to be written down: by device when it was last heard of and its newest reading, by series that alone."""

    seen: list[DeviceSeen]
    series_id: NDArray[np.int64]  # ascending
    observed_us: NDArray[np.int64]


class Sightings:
    """`high_water_us` holds, by series id, the newest time that we know to be stored: a lower bound, for other
    processes store too. It belongs to the thread that notes and adopts; any thread may write."""

    def __init__(self) -> None:
        self.high_water_us = np.full(1, NOTHING_YET, dtype=np.int64)
        self._lock = threading.Lock()  # for what follows, and for changes of the high water
        self._written_us = self.high_water_us.copy()
        self._seen_us = np.zeros(0, dtype=np.int64)  # by position of the device in the table; 0: nothing new
        self._table: DeviceTable | None = None

    def adopt(self, registry: Registry, table: DeviceTable) -> None:
        """Goes on with this table; what was noted with the one before is still to be written down."""
        size = max(table.series_size, len(self.high_water_us))
        grown = np.full(size, NOTHING_YET, dtype=np.int64)
        written = grown.copy()
        grown[: len(self.high_water_us)] = self.high_water_us
        for series_id, observed_us in registry.last_observed_us.items():
            grown[series_id] = max(int(grown[series_id]), observed_us)
        with self._lock:
            seen = self._find_seen()
            written[: len(self._written_us)] = self._written_us
            self.high_water_us, self._written_us = grown, written
            self._seen_us = np.zeros(len(table.device_ids), dtype=np.int64)
            self._table = table
            self._take_back(seen)

    def note(self, batch: Batch, table: DeviceTable) -> None:
        """What the batch shows; it has been committed. What came as historical is no sign of life."""
        series_id, observed_us = batch.series_id, batch.observed_us
        is_historical = (batch.flags & ReadingFlag.LATE) != 0
        if is_historical.any():
            series_id, observed_us = series_id[~is_historical], observed_us[~is_historical]
        with self._lock:
            np.maximum.at(self.high_water_us, series_id, observed_us)
            if self._table is None:
                return
            position = table.device_index[series_id]
            if table is not self._table:  # it was decoded while another table was built
                position = self._find_positions(table, position)
            self._seen_us[position] = batch.received_us

    def note_stored(self, series_id: NDArray[np.int32], observed_us: NDArray[np.int64]) -> None:
        """That these readings are stored, which says nothing of when their devices were heard of."""
        with self._lock:
            np.maximum.at(self.high_water_us, series_id, observed_us)

    def write(self, conn: Connection) -> None:
        """Writes down what is new since the last time; harmless when others write at the same time. What could not be
        written is still new."""
        with self._lock:
            new = self._take()
        try:
            for first in range(0, len(new.seen), SEEN_AT_ONCE):
                with conn.transaction():
                    record_seen(conn, new.seen[first : first + SEEN_AT_ONCE])
            if len(new.series_id):
                with conn.transaction():
                    record_last_observed(conn, new.series_id, new.observed_us)
        except BaseException:
            with self._lock:
                self._take_back(new.seen)
                self._written_us[new.series_id] = NOTHING_YET
            raise

    def _take(self) -> Unwritten:
        seen = self._find_seen()
        self._seen_us[:] = 0
        moved = np.flatnonzero(self.high_water_us > self._written_us)
        self._written_us[moved] = self.high_water_us[moved]
        return Unwritten(seen, moved.astype(np.int64), self._written_us[moved])

    def _find_seen(self) -> list[DeviceSeen]:
        """The devices of the table that were heard of; one without any reading is known by its status alone."""
        if self._table is None:
            return []
        newest = np.full(len(self._seen_us), NOTHING_YET, dtype=np.int64)
        known = np.flatnonzero(self._table.device_index >= 0)
        np.maximum.at(newest, self._table.device_index[known], self.high_water_us[known])
        seen = np.flatnonzero((self._seen_us != 0) & (newest != NOTHING_YET))
        columns = (self._table.device_ids[seen], self._seen_us[seen], newest[seen])
        return [DeviceSeen(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    def _take_back(self, seen: list[DeviceSeen]) -> None:
        """These are new again, unless something newer is. A device that has left the registry was deleted."""
        assert self._table is not None
        place = {device_id: position for position, device_id in enumerate(self._table.device_ids.tolist())}
        for one in seen:
            position = place.get(one.device_id)
            if position is not None:
                self._seen_us[position] = max(int(self._seen_us[position]), one.received_us)

    def _find_positions(self, table: DeviceTable, position: NDArray[np.int32]) -> NDArray[np.int32]:
        """Where those devices of `table` stand in ours; one that has left it is left out."""
        assert self._table is not None
        serials = [table.by_index[i].serial for i in np.unique(position).tolist()]
        found = np.array([self._table.find_position(serial) for serial in serials], dtype=np.int32)
        here: NDArray[np.int32] = found[found != self._table.no_device]
        return here
