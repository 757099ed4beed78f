"""The registry as ingest needs it."""

from datetime import date, datetime, timedelta, timezone

from domain.clock import to_micros
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from store.registry import Registry


def build_table(registry: Registry) -> DeviceTable:
    """Every device with those of its series that its model's profile still knows."""
    sensors = {
        model: {sensor.key: sensor for sensor in profile.sensors} for model, profile in registry.profiles.items()
    }
    policies = {model: profile.ingest for model, profile in registry.profiles.items()}
    return DeviceTable(
        (
            DeviceEntry(
                device_id=device.id,
                serial=device.serial,
                shard=device.shard,
                gateway=device.gateway,
                installed_us=_find_installation(device.installed_on),
                max_messages_s=policies[device.model].max_messages_s,
                burst_messages=policies[device.model].burst_messages,
                sensors={
                    key: SensorEntry(
                        series_id,
                        sensor.physical_min,
                        sensor.physical_max,
                        sensor.unit,
                        {state.text: state.value for state in sensor.states},
                    )
                    for key, series_id in device.series.items()
                    if (sensor := sensors.get(device.model, {}).get(key)) is not None
                },
            )
            for device in registry.devices.values()
        ),
        version=registry.version,
        shard_count=registry.shard_count,
    )


def _find_installation(day: date | None) -> int | None:
    """When that day began where on Earth it begins first: nobody is told that it was the day before."""
    if day is None:
        return None
    return to_micros(datetime(day.year, day.month, day.day, tzinfo=timezone(timedelta(hours=14))))
