-- Least privilege: the programs' role reads all, writes what programs write, and can neither change nor remove what is written once.
GRANT USAGE ON SCHEMA public TO forewarn_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO forewarn_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO forewarn_app;

GRANT INSERT ON reading, firmware_report, device_event, status_report, rejection TO forewarn_app;
GRANT INSERT, UPDATE ON ingest_ledger, heartbeat, shard TO forewarn_app;
GRANT DELETE ON heartbeat TO forewarn_app;
GRANT INSERT, DELETE ON reading_block, ingest_receipt TO forewarn_app;
GRANT INSERT, UPDATE ON customer, site, device_model, gateway, device, service_contract, series, app_user TO forewarn_app;
GRANT INSERT ON device_model_profile, device_history TO forewarn_app;
GRANT INSERT, UPDATE, DELETE ON app_session, anomaly_checkpoint, technician_certificate, idempotency_key TO forewarn_app;
GRANT INSERT, UPDATE ON monitor_flag, api_token, breach, score_rollup, work_order, work_order_breach, shelving, capa, capa_member TO forewarn_app;
GRANT INSERT ON breach_transition, evidence, work_order_note, ticket_decision, signature, audit_event TO forewarn_app;
-- What was put off (shelved, under maintenance, triage failed) is decided again; everything else stays as decided.
GRANT UPDATE (decided_at, decision, reason, params, work_order_id) ON ticket_decision TO forewarn_app;
GRANT INSERT, UPDATE ON outbox TO forewarn_app;
GRANT DELETE ON change_log TO forewarn_app;
GRANT DELETE ON score_rollup TO forewarn_app;
REVOKE ALL ON FUNCTION ensure_reading_partitions(date[]), drop_readings_before(date), remove_rejections_before(timestamptz, integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_reading_partitions(date[]), drop_readings_before(date), remove_rejections_before(timestamptz, integer)
    TO forewarn_app;
