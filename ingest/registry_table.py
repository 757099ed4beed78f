"""The registry as ingest needs it."""

from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from store.registry import Registry


def build_table(registry: Registry) -> DeviceTable:
    """Every device with those of its series that its model's profile still knows."""
    sensors = {
        model: {sensor.key: sensor for sensor in profile.sensors} for model, profile in registry.profiles.items()
    }
    return DeviceTable(
        (
            DeviceEntry(
                device_id=device.id,
                serial=device.serial,
                shard=device.shard,
                gateway=device.gateway,
                sensors={
                    key: SensorEntry(series_id, sensor.physical_min, sensor.physical_max, sensor.unit)
                    for key, series_id in device.series.items()
                    if (sensor := sensors.get(device.model, {}).get(key)) is not None
                },
            )
            for device in registry.devices.values()
        ),
        version=registry.version,
        shard_count=registry.shard_count,
    )
