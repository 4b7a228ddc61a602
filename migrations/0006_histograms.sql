-- The merged histograms of each step of each run, so that a later run can be compared with its baseline by the
-- whole distribution and not only by some percentiles. They are removed with their run; the baseline, which is the
-- last run of a scenario on an environment that passed, is kept whatever its age.
CREATE TABLE load_test_histograms (
  run_id TEXT NOT NULL REFERENCES load_test_runs(id) ON DELETE CASCADE,
  step INTEGER NOT NULL,                  -- its place among the summary's steps, from 0
  app_name TEXT NOT NULL,
  step_name TEXT NOT NULL,
  kind TEXT NOT NULL,                     -- 'response' or 'service'
  histogram TEXT NOT NULL,                -- JSON, microseconds: [overflow, value, count, step to the next value, count, …]
  PRIMARY KEY (run_id, step, kind)
);
