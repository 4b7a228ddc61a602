-- The daily budget of requests: what each run has reserved, and what it has sent in the end. Rows
-- are kept for some days; they refer to no run, because a run that is removed has sent its requests
-- all the same.
CREATE TABLE load_test_budget (
  run_id TEXT PRIMARY KEY,
  day TEXT NOT NULL,                      -- UTC, such as 2026-11-21: the day on which the run began
  reserved INTEGER NOT NULL,              -- requests
  sent INTEGER                            -- requests; not known before the run has ended
);

CREATE INDEX idx_budget_day ON load_test_budget(day);
