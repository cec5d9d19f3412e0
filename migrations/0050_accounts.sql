-- Accounts made by CreateAccount. They hang on the name of an instance, not on its row: an account
-- may be made before anybody initialises the instance with it.
CREATE TABLE accounts (
    instance      TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    -- 'Super' or 'Normal'.
    kind          TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    description   TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (instance, name)
) STRICT;
