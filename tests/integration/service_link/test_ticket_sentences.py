"""What an order says of itself in one sentence, in the events that other systems get too."""

from tests.support.staff import Staff


def test_an_order_says_in_one_sentence_what_is_wrong_in_its_events_too(staff: Staff) -> None:
    part = {"part": {"en": "Drive", "zh": "驱动"}, "sure": {"kind": "measured"}}
    staff.world.decide("SN-1", params=part)
    (event,) = staff.world.rows("SELECT body -> 'data' AS data FROM outbox WHERE type = 'workorder.opened'")
    assert "measured, not inferred; suspected part: Drive." in event["data"]["summary"]["en"]
    assert event["data"]["summary"]["zh"].endswith("疑似部件：驱动。")


def test_a_new_order_says_what_became_of_earlier_ones_of_its_monitor(staff: Staff) -> None:
    staff.world.conn.execute(
        "INSERT INTO monitor_quality (device_model_id, is_simulated, rule, monitor, profile_version, confirmed,"
        " sensor_fault, no_fault_found, false_alarm, precision_mean, precision_low, precision_high, tickets,"
        " device_days, allowed_rate, is_over_budget, judged_at) SELECT id, false, 'limit', 'current_high', 1, 8, 1, 0,"
        " 1, 0.9, 0.6, 1, 10, 100, 50, false, now() FROM device_model"
    )
    staff.world.decide("SN-1", params={"sure": {"kind": "measured"}})
    (event,) = staff.world.rows("SELECT body -> 'data' AS data FROM outbox WHERE type = 'workorder.opened'")
    assert "very likely true (90 %: 9 of 10 earlier orders" in event["data"]["summary"]["en"]
