-- The five tables as the spec gives them, word for word. The migration is compared with this.
CREATE TABLE load_test_runs (
  id TEXT PRIMARY KEY,
  scenario_name TEXT NOT NULL,
  started_at TEXT NOT NULL,
  ended_at TEXT,
  duration_ms INTEGER,
  status TEXT NOT NULL DEFAULT 'running', -- 'running', 'completed', 'failed', 'cancelled'
  config_json TEXT NOT NULL,              -- Scenario configuration
  summary_json TEXT,                      -- Aggregated results
  created_at TEXT NOT NULL DEFAULT (datetime('now'))
);

CREATE INDEX idx_runs_scenario ON load_test_runs(scenario_name);
CREATE INDEX idx_runs_started ON load_test_runs(started_at DESC);
CREATE INDEX idx_runs_status ON load_test_runs(status);

-- Detailed metrics timeline
CREATE TABLE load_test_metrics (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL REFERENCES load_test_runs(id) ON DELETE CASCADE,
  timestamp INTEGER NOT NULL,             -- Unix ms
  phase TEXT NOT NULL,                    -- 'ramp_up', 'peak', 'steady_state', 'ramp_down'
  active_users INTEGER NOT NULL,
  requests_per_sec REAL NOT NULL,
  latency_p50 REAL,
  latency_p95 REAL,
  latency_p99 REAL,
  latency_max REAL,
  error_rate REAL NOT NULL,
  errors_by_type TEXT,                    -- JSON
  do_metrics TEXT,                        -- JSON: DO-specific stats
  d1_metrics TEXT,                        -- JSON: D1 stats
  storage_metrics TEXT                    -- JSON: R2/KV stats
);

CREATE INDEX idx_metrics_run ON load_test_metrics(run_id);
CREATE INDEX idx_metrics_ts ON load_test_metrics(timestamp);

-- Per-application results
CREATE TABLE load_test_app_results (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL REFERENCES load_test_runs(id) ON DELETE CASCADE,
  app_name TEXT NOT NULL,
  total_requests INTEGER NOT NULL,
  successful_requests INTEGER NOT NULL,
  failed_requests INTEGER NOT NULL,
  avg_latency_ms REAL NOT NULL,
  p50_latency_ms REAL,
  p95_latency_ms REAL,
  p99_latency_ms REAL,
  errors_by_type TEXT                     -- JSON
);

CREATE INDEX idx_app_results_run ON load_test_app_results(run_id);

-- Bottleneck analysis
CREATE TABLE load_test_bottlenecks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL REFERENCES load_test_runs(id) ON DELETE CASCADE,
  component TEXT NOT NULL,                -- 'SessionDO', 'TenantDO', 'D1', etc.
  saturation_users INTEGER,               -- Users when degradation started
  symptom TEXT NOT NULL,                  -- 'latency_spike', 'error_increase', etc.
  severity TEXT NOT NULL,                 -- 'warning', 'critical'
  details TEXT                            -- JSON with additional context
);

CREATE INDEX idx_bottlenecks_run ON load_test_bottlenecks(run_id);

-- Assertion results
CREATE TABLE load_test_assertions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL REFERENCES load_test_runs(id) ON DELETE CASCADE,
  metric TEXT NOT NULL,
  operator TEXT NOT NULL,
  expected_value REAL NOT NULL,
  actual_value REAL NOT NULL,
  passed INTEGER NOT NULL                 -- 0 or 1
);

CREATE INDEX idx_assertions_run ON load_test_assertions(run_id);
