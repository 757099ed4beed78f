-- How people come in: sessions that their owner can look at and end, a second factor, accounts of an OpenID Connect provider.
ALTER TABLE app_session ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE;
ALTER TABLE app_session ADD COLUMN method text NOT NULL DEFAULT 'PASSWORD'
    CHECK (method IN ('PASSWORD', 'SECOND_FACTOR', 'RECOVERY_CODE', 'PROVIDER'));
ALTER TABLE app_session ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE app_session ADD COLUMN browser text NOT NULL DEFAULT '' CHECK (length(browser) <= 300);
ALTER TABLE app_session ADD COLUMN reauthenticated_at timestamptz;
-- Who signs in at a provider has no password, until it is needed for signing.
ALTER TABLE app_user ALTER COLUMN password_hash DROP NOT NULL;

CREATE TABLE second_factor (
    user_id bigint PRIMARY KEY REFERENCES app_user,
    sealed_secret bytea NOT NULL,
    begun_at timestamptz NOT NULL,
    begun_session_id bigint NOT NULL,
    confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0,
    failed_count integer NOT NULL DEFAULT 0 CHECK (failed_count >= 0),
    locked_until timestamptz
);
CREATE TABLE recovery_code (
    user_id bigint NOT NULL REFERENCES second_factor ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, code_hash)
);
CREATE TABLE pending_sign_in (
    token_hash bytea PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES app_user,
    expires_at timestamptz NOT NULL
);
CREATE INDEX pending_sign_in_user ON pending_sign_in (user_id);

CREATE TABLE provider_identity (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id bigint NOT NULL REFERENCES app_user,
    linked_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    PRIMARY KEY (issuer, subject),
    UNIQUE (user_id)
);
CREATE TABLE provider_flow (
    state_hash bytea PRIMARY KEY,
    browser_hash bytea NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('SIGN_IN', 'LINK', 'PASSWORD')),
    session_id bigint REFERENCES app_session (id) ON DELETE CASCADE,
    target text NOT NULL DEFAULT '',
    begun_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CHECK ((purpose = 'SIGN_IN') = (session_id IS NULL))
);
CREATE INDEX provider_flow_session ON provider_flow (session_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON second_factor, recovery_code TO forewarn_app;
GRANT SELECT, INSERT, DELETE ON pending_sign_in, provider_flow, provider_identity TO forewarn_app;
GRANT UPDATE (last_used_at) ON provider_identity TO forewarn_app;
GRANT USAGE ON SEQUENCE app_session_id_seq TO forewarn_app;

COMMENT ON COLUMN app_session.id IS 'What its owner and administrators name it by; it opens nothing.';
COMMENT ON COLUMN app_session.method IS 'How it was opened: a password alone, with a code, with a recovery code, or by the provider.';
COMMENT ON COLUMN app_session.address IS 'From where it was opened.';
COMMENT ON COLUMN app_session.browser IS 'What the browser called itself when it was opened.';
COMMENT ON COLUMN app_session.reauthenticated_at IS 'The provider has just asked its owner again: one new password may be set, within minutes.';
COMMENT ON COLUMN app_user.password_hash IS 'argon2id; NULL: an account of the provider that has no password to sign with yet.';
COMMENT ON TABLE second_factor IS 'Codes of an app (RFC 6238) beside the password.';
COMMENT ON COLUMN second_factor.sealed_secret IS 'Encrypted by a key that is in a file and not in this database.';
COMMENT ON COLUMN second_factor.begun_session_id IS 'The session that alone may confirm it.';
COMMENT ON COLUMN second_factor.confirmed_at IS 'NULL: begun, and asked for by nothing yet.';
COMMENT ON COLUMN second_factor.last_step IS 'The time step of the last code that was taken: neither it nor an earlier one is taken again.';
COMMENT ON TABLE recovery_code IS 'Codes for who has lost the app: SHA-256 of 80 random bits, each good once.';
COMMENT ON TABLE pending_sign_in IS 'Who has given the right password and not yet a code; for minutes.';
COMMENT ON TABLE provider_identity IS 'Which account is whose at an OpenID Connect provider: by issuer and subject, never by an address.';
COMMENT ON TABLE provider_flow IS 'Who was sent to the provider and has not come back; for minutes, good once, in one browser.';
COMMENT ON COLUMN provider_flow.browser_hash IS 'SHA-256 of a cookie from which nonce and code verifier are derived: neither is in this database.';
COMMENT ON COLUMN provider_flow.purpose IS 'SIGN_IN opens a session, LINK ties the account of a session to an identity, PASSWORD lets it set a password.';
