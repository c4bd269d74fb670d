-- The tables of the floor: the same facts as the product keeps, in clear and without anything around them.
-- {key} is the database's own way to say "a number that counts itself".
CREATE TABLE limit_client (
    id {key}, therapist_id integer NOT NULL, status varchar(12) NOT NULL, turn integer NOT NULL,
    name varchar(80) NOT NULL, name_key varchar(80) NOT NULL, pronouns varchar(20) NOT NULL, why varchar(120) NOT NULL,
    phq9 text NOT NULL, plan varchar(60) NOT NULL, next_session_at varchar(32) NOT NULL, last_heard_at varchar(32)
);
CREATE INDEX limit_client_caseload ON limit_client (therapist_id, status, turn, id);
CREATE INDEX limit_client_name ON limit_client (name_key);
CREATE TABLE limit_sitting (id {key}, client_id integer NOT NULL, saved_at varchar(32), submitted_at varchar(32));
CREATE TABLE limit_answer (
    id {key}, sitting_id integer NOT NULL, question varchar(80) NOT NULL, value text NOT NULL, at varchar(32) NOT NULL,
    UNIQUE (sitting_id, question)
);
CREATE TABLE limit_response (
    id {key}, client_id integer NOT NULL, instrument varchar(32) NOT NULL, answers text NOT NULL, total integer,
    band varchar(24) NOT NULL, taken_at varchar(32) NOT NULL
);
CREATE INDEX limit_response_series ON limit_response (client_id, taken_at);
CREATE TABLE limit_alert (id {key}, client_id integer NOT NULL, severity varchar(8) NOT NULL, opened_at varchar(32) NOT NULL);
CREATE INDEX limit_alert_client ON limit_alert (client_id);
CREATE TABLE limit_referral (
    id {key}, therapist_id integer NOT NULL, clinic_id integer NOT NULL, name varchar(80) NOT NULL,
    clinic varchar(80) NOT NULL, reference varchar(24) NOT NULL, state varchar(16) NOT NULL, urgency varchar(8) NOT NULL,
    sent_at varchar(32) NOT NULL, due_at varchar(32) NOT NULL, packet text NOT NULL
);
CREATE INDEX limit_referral_due ON limit_referral (therapist_id, due_at, id);
CREATE INDEX limit_referral_clinic ON limit_referral (clinic_id, sent_at);
CREATE TABLE limit_audit (id {key}, at varchar(32) NOT NULL, action varchar(48) NOT NULL, client_id integer);
CREATE TABLE limit_outbox (id {key}, kind varchar(48) NOT NULL, ref varchar(64) NOT NULL, created_at varchar(32) NOT NULL)
