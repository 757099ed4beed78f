"""When each device and each series was last heard of: kept in memory, written down every few seconds."""

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


class Sightings:
    """`high_water_us` holds, by series id, the newest time that we know to be stored: a lower bound, for other
    processes store too."""

    def __init__(self) -> None:
        self.high_water_us = np.full(1, NOTHING_YET, dtype=np.int64)
        self._written_us = self.high_water_us.copy()
        self._seen_us = np.zeros(0, dtype=np.int64)  # by position of the device in the table; 0: nothing new
        self._table: DeviceTable | None = None

    def adopt(self, registry: Registry, table: DeviceTable) -> None:
        """Goes on with this table; what was noted with the one before must have been written down."""
        size = max(table.series_size, len(self.high_water_us))
        grown = np.full(size, NOTHING_YET, dtype=np.int64)
        grown[: len(self.high_water_us)] = self.high_water_us
        for series_id, observed_us in registry.last_observed_us.items():
            grown[series_id] = max(int(grown[series_id]), observed_us)
        written = np.full(size, NOTHING_YET, dtype=np.int64)
        written[: len(self._written_us)] = self._written_us
        self.high_water_us, self._written_us = grown, written
        self._seen_us = np.zeros(len(table.device_ids), dtype=np.int64)
        self._table = table

    def note(self, batch: Batch, table: DeviceTable) -> None:
        """What the batch shows; it has been committed. What came as historical is no sign of life."""
        series_id, observed_us = batch.series_id, batch.observed_us
        is_historical = (batch.flags & ReadingFlag.LATE) != 0
        if is_historical.any():
            series_id, observed_us = series_id[~is_historical], observed_us[~is_historical]
        np.maximum.at(self.high_water_us, series_id, observed_us)
        if self._table is None:
            return
        position = table.device_index[series_id]
        if table is not self._table:  # it was decoded while another table was built
            position = self._find_positions(table, position)
        self._seen_us[position] = batch.received_us

    def _find_positions(self, table: DeviceTable, position: NDArray[np.int32]) -> NDArray[np.int32]:
        """Where those devices of `table` stand in ours; one that has left it is left out."""
        assert self._table is not None
        serials = [table.by_index[i].serial for i in np.unique(position).tolist()]
        found = np.array([self._table.find_position(serial) for serial in serials], dtype=np.int32)
        here: NDArray[np.int32] = found[found != self._table.no_device]
        return here

    def write(self, conn: Connection) -> None:
        """Writes down what is new since the last time; harmless when others write at the same time."""
        if self._table is None:
            return
        seen = np.flatnonzero(self._seen_us)
        newest = np.full(len(self._seen_us), NOTHING_YET, dtype=np.int64)
        known = np.flatnonzero(self._table.device_index >= 0)
        np.maximum.at(newest, self._table.device_index[known], self.high_water_us[known])
        moved = np.flatnonzero(self.high_water_us > self._written_us)
        written = self.high_water_us.copy()
        with conn.transaction():
            record_seen(
                conn,
                [
                    DeviceSeen(int(self._table.device_ids[i]), int(self._seen_us[i]), int(newest[i]))
                    for i in seen
                    if newest[i] != NOTHING_YET
                ],
            )
            if len(moved):
                record_last_observed(conn, moved.astype(np.int64), written[moved])
        self._seen_us[seen] = 0
        self._written_us = written
