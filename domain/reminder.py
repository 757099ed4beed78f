"""What is reminded of before it ends, and how long before."""

from enum import StrEnum


class ReminderKind(StrEnum):
    """Values stand in the database and never change."""

    WARRANTY = "WARRANTY"
    CONTRACT = "CONTRACT"
    CERTIFICATE = "CERTIFICATE"
    CALIBRATION = "CALIBRATION"


# A contract has its own `remind_days`.
REMIND_DAYS = {ReminderKind.WARRANTY: 60, ReminderKind.CERTIFICATE: 30, ReminderKind.CALIBRATION: 30}
