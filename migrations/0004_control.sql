-- What operators have decided for the load tester as a whole.

-- The kill switch: as long as the row 'stop-all' says 'stop', no run starts. Its twin in KV, the key
-- loadtest:stop-all, stops everything even when this database is out of reach. That the row exists
-- says that the key was created.
CREATE TABLE load_test_control (
  name TEXT PRIMARY KEY,                  -- 'stop-all'
  value TEXT NOT NULL,                    -- 'run' or 'stop'
  reason TEXT,
  changed_at TEXT NOT NULL                -- ISO 8601, UTC
);
