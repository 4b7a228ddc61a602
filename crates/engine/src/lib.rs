//! The load test engine.
