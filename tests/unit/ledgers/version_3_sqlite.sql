CREATE TABLE ledger_version (
    version INTEGER NOT NULL,
    highest_fence BIGINT NOT NULL
);

CREATE TABLE runs (
    id INTEGER NOT NULL,
    pipeline VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    window_start DATETIME NOT NULL,
    window_end DATETIME NOT NULL,
    label VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    owner VARCHAR,
    lease_until DATETIME,
    fence BIGINT,
    row_count BIGINT,
    check_count INTEGER,
    seconds FLOAT,
    reason TEXT,
    queued_at DATETIME NOT NULL,
    started_at DATETIME,
    finished_at DATETIME,
    is_unsettled BOOLEAN NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX runs_by_window ON runs (pipeline, window_start, id);

CREATE UNIQUE INDEX runs_by_name ON runs (pipeline, run_id);

CREATE UNIQUE INDEX runs_in_flight ON runs (pipeline, window_start) WHERE state IN ('queued', 'running', 'retrying');

CREATE TABLE model_windows (
    model VARCHAR NOT NULL,
    window_start DATETIME NOT NULL,
    window_end DATETIME NOT NULL,
    standing VARCHAR NOT NULL,
    code_hash VARCHAR,
    is_outdated BOOLEAN NOT NULL,
    reason TEXT,
    inputs VARCHAR,
    has_rows BOOLEAN NOT NULL,
    PRIMARY KEY (model, window_start)
);

CREATE TABLE accepted_changes (
    model VARCHAR NOT NULL,
    old_hash VARCHAR NOT NULL,
    new_hash VARCHAR NOT NULL,
    accepted_at DATETIME NOT NULL,
    PRIMARY KEY (model, old_hash, new_hash)
);

CREATE TABLE pauses (
    pipeline VARCHAR NOT NULL,
    reason TEXT NOT NULL,
    paused_at DATETIME NOT NULL,
    PRIMARY KEY (pipeline)
);

CREATE TABLE proofs (
    model VARCHAR NOT NULL,
    code_hash VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,
    failed VARCHAR NOT NULL,
    windows TEXT NOT NULL,
    proved_at DATETIME NOT NULL,
    PRIMARY KEY (model, code_hash)
);

CREATE TABLE model_runs (
    run INTEGER NOT NULL,
    model VARCHAR NOT NULL,
    standing VARCHAR NOT NULL,
    row_count BIGINT,
    code_hash VARCHAR,
    reason TEXT,
    PRIMARY KEY (run, model),
    FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);

CREATE TABLE findings (
    run INTEGER NOT NULL,
    model VARCHAR,
    check_name TEXT NOT NULL,
    severity VARCHAR NOT NULL,
    expected TEXT,
    actual TEXT,
    sample TEXT,
    FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);

CREATE INDEX findings_by_run ON findings (run);

CREATE TABLE allowances (
    run INTEGER NOT NULL,
    model VARCHAR NOT NULL,
    reason TEXT NOT NULL,
    FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);

CREATE INDEX allowances_by_run ON allowances (run);
