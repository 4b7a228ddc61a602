//! What the rows of a time line say, seen from outside.

use super::*;
use crate::phase::{Phase, PhaseSpan};
use crate::tick::Tick;
use crate::totals::LatencyPercentiles;
use crate::window::{StepId, StepWindow, Window};

const PHASES: [PhaseSpan; 2] = [
    PhaseSpan {
        phase: Phase::RampUp,
        from: Tick::ZERO,
        to: Tick::from_ms(1_500),
    },
    PhaseSpan {
        phase: Phase::Peak,
        from: Tick::from_ms(1_500),
        to: Tick::from_ms(4_000),
    },
];

fn window(second: u32, phase: Phase, users: u32, response_us: &[u64]) -> Window {
    let mut window = Window::new(second, phase);
    window.active_users = users;
    let mut step = StepWindow {
        succeeded: response_us.len() as u64,
        ..StepWindow::default()
    };
    for us in response_us {
        step.response_us.record(*us);
    }
    if !response_us.is_empty() {
        window.steps.insert(StepId(0), step);
    }
    window
}

fn row(second: u32, told: &[(u32, Window)]) -> TimelineRow {
    let mut sum = Second::default();
    for (batch, window) in told {
        sum.add(window);
        sum.set_users(*batch, window.phase, window.active_users);
    }
    sum.to_point(second, &PHASES).to_row(1_000_000)
}

#[test]
fn a_second_with_two_phases_is_one_row_of_the_later_one() {
    let row = row(
        1,
        &[
            (0, window(1, Phase::RampUp, 3, &[1_000])),
            (0, window(1, Phase::Peak, 4, &[3_000, 3_000])),
            (1, window(1, Phase::RampUp, 2, &[])),
            (1, window(1, Phase::Peak, 3, &[])),
        ],
    );
    assert_eq!(row.timestamp, 1_001_000);
    assert_eq!(row.phase, Phase::Peak);
    assert_eq!(row.active_users, 7);
    assert_eq!(row.requests_per_sec, 3.0);
    assert_eq!(row.latency.max, Some(3.001)); // the bucket's upper end
}

#[test]
fn a_batch_that_continues_within_a_second_counts_its_users_once() {
    let told = [
        (0, window(2, Phase::Peak, 5, &[1_000])),
        (0, window(2, Phase::Peak, 6, &[1_000])),
    ];
    let row = row(2, &told);
    assert_eq!((row.active_users, row.requests_per_sec), (6, 2.0));
}

#[test]
fn a_second_without_traffic_has_a_row_without_latency() {
    let row = row(3, &[]);
    assert_eq!(row.phase, Phase::Peak);
    assert_eq!(
        (row.active_users, row.requests_per_sec, row.error_rate),
        (0, 0.0, 0.0)
    );
    assert_eq!(row.latency, LatencyPercentiles::default());
    assert_eq!(
        (row.do_metrics, row.d1_metrics, row.storage_metrics),
        (None, None, None)
    );
}

#[test]
fn after_the_plans_end_a_second_belongs_to_the_ramp_down() {
    assert_eq!(row(4, &[]).phase, Phase::RampDown);
}

#[test]
fn component_metrics_have_the_shapes_of_the_spec() {
    let mut window = window(0, Phase::RampUp, 1, &[]);
    let header = concat!(
        r#"do;desc="SessionDO";dur=2;wake=1;err=0, do;desc="SessionDO";dur=4;wake=0;err=1, "#,
        "d1;dur=3;queries=2;rows_read=5;rows_written=1;batch=1;queue=0, ",
        "r2;dur=1;op=write;bytes=100, kv;op=read;bytes=7",
    );
    crate::server_timing::record(header, &mut window);
    let row = row(0, &[(0, window)]);
    let json = |value: serde_json::Value| value.to_string();
    assert_eq!(
        json(serde_json::to_value(row.do_metrics).unwrap()),
        json(serde_json::json!({
            "sessionDO": { "wakeRate": 0.5, "avgLatency": 3.0, "errorRate": 0.5 },
            "tenantDO": { "wakeRate": null, "avgLatency": null, "errorRate": null },
            "postDO": { "wakeRate": null, "avgLatency": null, "errorRate": null },
        }))
    );
    assert_eq!(
        json(serde_json::to_value(row.d1_metrics).unwrap()),
        json(serde_json::json!({
            "queriesPerSecond": 2.0, "batchedWritesPerSecond": 1.0, "avgQueryLatency": 1.5,
            "rowsReadPerSecond": 5.0, "rowsWrittenPerSecond": 1.0,
        }))
    );
    assert_eq!(
        json(serde_json::to_value(row.storage_metrics).unwrap()),
        json(serde_json::json!({
            "readsPerSecond": 1.0, "writesPerSecond": 1.0, "bytesTransferred": 107,
        }))
    );
}

#[test]
fn a_long_run_keeps_a_bounded_time_line_that_loses_no_request() {
    let mut timeline = Timeline::default();
    let seconds = u32::try_from(POINTS_MAX).unwrap() * 5 + 3;
    for number in 0..seconds {
        let mut second = Second::default();
        let latency = 1_000 + u64::from(number);
        second.add(&window(number, Phase::Peak, number, &[latency, latency]));
        second.set_users(0, Phase::Peak, number);
        timeline.push(second.to_point(number, &PHASES));
    }
    assert_eq!(timeline.seconds_per_point(), 8);
    assert!(timeline.points().len() <= POINTS_MAX);
    let mut next = 0;
    let mut finished = 0;
    for point in timeline.points() {
        assert_eq!(point.second, next);
        next += point.seconds;
        finished += point.sums.finished();
        assert_eq!(point.active_users, next - 1);
    }
    assert_eq!((next, finished), (seconds, u64::from(seconds) * 2));
    let rows = timeline.points().iter().map(|point| point.to_row(0));
    assert!(rows.take(100).all(|row| row.requests_per_sec == 2.0));
}

#[test]
fn a_row_of_several_seconds_has_the_percentiles_of_all_and_keeps_the_peaks() {
    let seconds = [
        window(0, Phase::RampUp, 3, &[1_000; 95]),
        window(
            1,
            Phase::Peak,
            9,
            &[77_777, 90_123, 90_123, 90_123, 5_003_007],
        ),
        window(2, Phase::Peak, 4, &[]),
    ];
    let mut open: Option<OpenRow> = None;
    for told in &seconds {
        let mut second = Second::default();
        second.add(told);
        second.set_users(0, told.phase, told.active_users);
        let point = second.to_point(told.second, &PHASES);
        match &mut open {
            Some(row) => row.add(&point, &second),
            None => open = Some(OpenRow::new(point, &second)),
        }
    }
    let row = open.map(|row| row.close(5_000)).unwrap();
    assert_eq!((row.timestamp, row.phase), (5_000, Phase::Peak));
    assert_eq!(row.active_users, 9, "the highest of them");
    assert_eq!(row.requests_per_sec, 100.0 / 3.0);
    let within = |actual: Option<f64>, expected: f64| {
        let actual = actual.unwrap();
        assert!(
            (actual / expected - 1.0).abs() < 0.001,
            "{actual} {expected}"
        );
    };
    within(row.latency.p90, 1.0);
    within(row.latency.p99, 90.123 + 0.01 * (5_003.007 - 90.123));
    within(row.latency.max, 5_003.007);
}

#[test]
fn merged_points_keep_the_highest_latency_as_it_was() {
    let mut timeline = Timeline::default();
    for number in 0..8 {
        let mut second = Second::default();
        second.add(&window(number, Phase::Peak, 1, &[1_000, 7_654_321]));
        timeline.push(second.to_point(number, &PHASES));
    }
    let before = timeline.points()[0].latency.max;
    timeline.coarsen();
    timeline.coarsen();
    assert_eq!(timeline.points().len(), 2);
    assert!(timeline.points().iter().all(|p| p.latency.max == before));
}

#[test]
fn points_read_back_as_themselves() {
    let mut second = Second::default();
    let mut told = window(0, Phase::RampUp, 2, &[1_500, 900_000]);
    crate::server_timing::record("do;desc=TenantDO;dur=2;wake=1", &mut told);
    second.add(&told);
    let point = second.to_point(0, &PHASES);
    let json = serde_json::to_string(&point).unwrap();
    assert_eq!(serde_json::from_str::<Point>(&json).unwrap(), point);
    let json = serde_json::to_string(&second).unwrap();
    assert_eq!(serde_json::from_str::<Second>(&json).unwrap(), second);
}
