-- The tables of a ledger. In braces: types that the databases name differently, of a key, which counts
-- by itself, and of an instant, which is in UTC (on SQLite a text that sorts as instants do), and the
-- states of runs that have not ended. What is there already is left alone.

CREATE TABLE IF NOT EXISTS ledger_version (
    version INTEGER NOT NULL,
    -- No fence is ever given again, even if the runs that had it are forgotten.
    highest_fence BIGINT NOT NULL
);

-- One row per execution of one window of a pipeline.
CREATE TABLE IF NOT EXISTS runs (
    id {key} PRIMARY KEY,
    pipeline VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,  -- <kind>__<window label>[.N]
    kind VARCHAR NOT NULL,
    window_start {instant} NOT NULL,
    window_end {instant} NOT NULL,
    label VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    owner VARCHAR,  -- host:pid:start of the process that holds it
    lease_until {instant},
    fence BIGINT,  -- of the invocation that took it last
    row_count BIGINT,
    check_count INTEGER,
    seconds FLOAT,  -- its share of its invocation
    reason TEXT,  -- why it is not success, in one line
    queued_at {instant} NOT NULL,
    started_at {instant},
    finished_at {instant},
    -- Cut off in the middle of an invocation: only the markers know what that published.
    is_unsettled BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS runs_by_name ON runs (pipeline, run_id);
CREATE INDEX IF NOT EXISTS runs_by_window ON runs (pipeline, window_start, id);
-- A window is never in two hands at once, whatever a program believes.
CREATE UNIQUE INDEX IF NOT EXISTS runs_in_flight ON runs (pipeline, window_start)
    WHERE state IN {unfinished};

-- One row per model of a run: how its work on that window ended.
CREATE TABLE IF NOT EXISTS model_runs (
    run BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    model VARCHAR NOT NULL,
    standing VARCHAR NOT NULL,
    row_count BIGINT,
    code_hash VARCHAR,
    reason TEXT,
    published_at {instant},  -- when the invocation that published its rows began
    is_same BOOLEAN NOT NULL,  -- published with the rows that the window had before
    checks_hash VARCHAR,  -- of the checks that gave the verdict
    PRIMARY KEY (run, model)
);

-- The index of what every model's windows are, whichever pipeline did it: contiguous windows of
-- which the same is known are one row. Lost, it can be made again from the warehouse's markers.
CREATE TABLE IF NOT EXISTS model_windows (
    model VARCHAR NOT NULL,
    window_start {instant} NOT NULL,
    window_end {instant} NOT NULL,
    standing VARCHAR NOT NULL,
    code_hash VARCHAR,
    is_outdated BOOLEAN NOT NULL,
    reason TEXT,
    inputs VARCHAR,  -- digest of what a window failed on
    has_rows BOOLEAN NOT NULL,
    published_at {instant},  -- of the marker that stands in the warehouse: which publication it is
    checks_hash VARCHAR,  -- of the checks that gave the verdict; null: nobody knows
    PRIMARY KEY (model, window_start)
);

-- The warehouse that this ledger is about, as it was when it was last looked at: one row.
CREATE TABLE IF NOT EXISTS warehouses (
    place VARCHAR PRIMARY KEY NOT NULL,  -- the file and schema, or what else tells it from others
    warehouse_id VARCHAR,  -- its own, beside its markers; null: it has none yet
    stamp VARCHAR,  -- of its file before it was looked at; null: there is none to be seen
    left_as VARCHAR,  -- the same when a run of ours last ended
    seen_at {instant}
);

-- The relation that each model publishes, and a digest of its markers when they were last read:
-- while both are the same the index is what they say.
CREATE TABLE IF NOT EXISTS relations (
    model VARCHAR PRIMARY KEY NOT NULL,
    relation VARCHAR NOT NULL,
    markers VARCHAR NOT NULL
);

-- Which node was made from which windowed model when the warehouse was last looked at: a publication
-- is told to those that read it then. Who reads again has to be compared with what stands there.
CREATE TABLE IF NOT EXISTS readings (
    parent VARCHAR NOT NULL,
    reader VARCHAR NOT NULL,
    PRIMARY KEY (parent, reader)
);

-- How what has no windows stood when a run of ours had built it: no marker speaks of it.
CREATE TABLE IF NOT EXISTS built_tables (
    model VARCHAR PRIMARY KEY NOT NULL,
    row_count BIGINT,  -- none of a view
    definition VARCHAR NOT NULL,
    contents VARCHAR
);

-- The codes that nodes have run with, and the texts of what they are made of: to be compared.
CREATE TABLE IF NOT EXISTS codes (
    model VARCHAR NOT NULL,
    code_hash VARCHAR NOT NULL,
    parts TEXT NOT NULL,  -- by unique id the digest of each node's own code, as JSON
    recorded_at {instant} NOT NULL,
    PRIMARY KEY (model, code_hash)
);
CREATE TABLE IF NOT EXISTS code_texts (
    digest VARCHAR PRIMARY KEY NOT NULL,
    text TEXT NOT NULL
);

-- Changes of code that a person has found cosmetic: what the old code published is as good.
CREATE TABLE IF NOT EXISTS accepted_changes (
    model VARCHAR NOT NULL,
    old_hash VARCHAR NOT NULL,
    new_hash VARCHAR NOT NULL,
    accepted_at {instant} NOT NULL,
    PRIMARY KEY (model, old_hash, new_hash)
);

-- Pipelines that start nothing until somebody resumes them.
CREATE TABLE IF NOT EXISTS pauses (
    pipeline VARCHAR PRIMARY KEY NOT NULL,
    reason TEXT NOT NULL,
    paused_at {instant} NOT NULL
);

-- One row per check that did not pass: the evidence.
CREATE TABLE IF NOT EXISTS findings (
    run BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    model VARCHAR,
    check_name TEXT NOT NULL,
    severity VARCHAR NOT NULL,
    expected TEXT,
    actual TEXT,
    sample TEXT  -- up to five rows in words, as a JSON list
);
CREATE INDEX IF NOT EXISTS findings_by_run ON findings (run);

-- One row per rule that a model of a run breaks and that a person allowed it to break.
CREATE TABLE IF NOT EXISTS allowances (
    run BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    model VARCHAR NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS allowances_by_run ON allowances (run);

-- What replaying a model's code has shown: the newest proof of each code.
CREATE TABLE IF NOT EXISTS proofs (
    model VARCHAR NOT NULL,
    code_hash VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,
    failed VARCHAR NOT NULL,  -- the properties that it lacks, between commas
    windows TEXT NOT NULL,  -- which were replayed, in words
    proved_at {instant} NOT NULL,
    PRIMARY KEY (model, code_hash)
);

-- The last sign of life of the scheduler: one row.
CREATE TABLE IF NOT EXISTS heartbeats (
    name VARCHAR PRIMARY KEY NOT NULL,
    kind VARCHAR NOT NULL,  -- serve or tick
    owner VARCHAR NOT NULL,  -- host:pid:start
    seen_at {instant} NOT NULL,
    interval_seconds FLOAT,  -- until the next sign; null: nobody has said
    is_stopped BOOLEAN NOT NULL  -- it was told to stop, and did
);

-- What a person has been told of each pipeline's windows, as ranges: no row, no trouble.
CREATE TABLE IF NOT EXISTS told (
    pipeline VARCHAR NOT NULL,
    window_start {instant} NOT NULL,
    window_end {instant} NOT NULL,
    kind VARCHAR NOT NULL,
    PRIMARY KEY (pipeline, window_start)
);

-- Messages to people, in the order in which they are sent. Written with what they tell, and
-- marked after they were sent. No URL is ever kept.
CREATE TABLE IF NOT EXISTS outbox (
    id {key} PRIMARY KEY,
    pipeline VARCHAR NOT NULL,
    tone VARCHAR NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at {instant} NOT NULL,
    attempts INTEGER NOT NULL,  -- that have failed: they say which URL is next
    not_before {instant},
    last_error VARCHAR,  -- in our own words: what others say may quote a URL
    owner VARCHAR,  -- host:pid:start of the process that sends it now
    lease_until {instant},
    sent_at {instant}
);
CREATE INDEX IF NOT EXISTS outbox_by_sent ON outbox (sent_at, id);

-- Up to when a source was loaded when it was last asked, for those who look without an engine.
CREATE TABLE IF NOT EXISTS sources_seen (
    source VARCHAR PRIMARY KEY NOT NULL,
    loaded_at {instant},
    seen_at {instant} NOT NULL
);

-- The windows, as ranges, of which it is known from which files they were made: a file that is
-- there and not below has landed later.
CREATE TABLE IF NOT EXISTS input_looks (
    model VARCHAR NOT NULL,
    window_start {instant} NOT NULL,
    window_end {instant} NOT NULL,
    PRIMARY KEY (model, window_start)
);

-- The files that a model's windows were made from, as they were before they were read.
CREATE TABLE IF NOT EXISTS input_files (
    model VARCHAR NOT NULL,
    path VARCHAR NOT NULL,  -- relative to the project
    window_start {instant} NOT NULL,
    window_end {instant} NOT NULL,
    size BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    digest VARCHAR NOT NULL,  -- blake2b of its bytes
    PRIMARY KEY (model, path, window_start)
);

-- How often something of a pipeline was tried again because it might pass by itself.
CREATE TABLE IF NOT EXISTS retries (
    pipeline VARCHAR PRIMARY KEY NOT NULL,
    count BIGINT NOT NULL
);
