//! What is accepted with which defaults, and what is refused how. The cases of k6 are those of k6:
//! lib/executor/executors_test.go and *_test.go.

use super::*;
use crate::load_model::{ArrivalModel, ArrivalUsers, Model};
use crate::plan::{LoadModel, Stage};
use proptest::prelude::*;

fn config(json: &str) -> LoadConfig {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn parse(json: &str) -> Result<Workloads, Problems> {
    Workloads::parse(Some(&config(json)), None, "scenario")
}

fn accepted(json: &str) -> Workload {
    let mut workloads = parse(json).unwrap_or_else(|problems| panic!("{json}: {problems}"));
    assert_eq!(workloads.warnings, [], "{json}");
    workloads.list.remove(0)
}

fn refused(json: &str) -> String {
    match parse(json) {
        Ok(_) => panic!("{json} must be refused"),
        Err(problems) => problems.to_string(),
    }
}

fn closed(json: &str) -> LoadModel {
    match accepted(json).model {
        Model::Closed(model) => model,
        Model::Open { .. } => panic!("{json} is open"),
    }
}

fn open(json: &str) -> (ArrivalModel, ArrivalUsers) {
    match accepted(json).model {
        Model::Open { arrivals, users } => (arrivals, users),
        Model::Closed(_) => panic!("{json} is closed"),
    }
}

const fn secs(s: u64) -> Span {
    Span::from_secs(s)
}

const fn stage(s: u64, target: u32) -> Stage {
    Stage {
        duration: secs(s),
        target,
    }
}

#[test]
fn executors_have_the_defaults_of_k6() {
    let ten_minutes = secs(600);
    let shared = |vus, iterations, max_duration| LoadModel::SharedIterations {
        vus,
        iterations,
        max_duration,
    };
    let ramp = |start_users, stages: &[Stage], grace| LoadModel::RampingVus {
        start_users,
        stages: stages.to_vec(),
        graceful_ramp_down: secs(grace),
    };
    assert_eq!(
        closed(r#"{"executor":"shared-iterations"}"#),
        shared(1, 1, ten_minutes)
    );
    assert_eq!(
        closed(r#"{"executor":"shared-iterations","iterations":22,"vus":12,"maxDuration":"100s"}"#),
        shared(12, 22, secs(100))
    );
    let per_vu = LoadModel::PerVuIterations {
        vus: 10,
        iterations: 1,
        max_duration: ten_minutes,
    };
    assert_eq!(
        closed(r#"{"executor":"per-vu-iterations","vus":10}"#),
        per_vu
    );
    assert_eq!(
        closed(r#"{"executor":"constant-vus","duration":"60s"}"#),
        ramp(1, &[stage(60, 1)], 0)
    );
    assert_eq!(
        closed(r#"{"executor":"ramping-vus","stages":[{"duration":"12s","target":0}]}"#),
        ramp(1, &[stage(12, 0)], 30)
    );
    let rate = ArrivalModel::ConstantRate {
        rate: 10,
        unit: secs(1),
        duration: ten_minutes,
    };
    let twenty = ArrivalUsers::Pool {
        pre_allocated: 20,
        max: 20,
    };
    assert_eq!(
        open(
            r#"{"executor":"constant-arrival-rate","rate":10,"duration":"10m","preAllocatedVUs":20}"#
        ),
        (rate, twenty)
    );
    let ramping = ArrivalModel::RampingRate {
        start: 0,
        unit: secs(60),
        stages: vec![stage(10, 5), stage(0, 3)],
    };
    let pool = ArrivalUsers::Pool {
        pre_allocated: 0,
        max: 30,
    };
    assert_eq!(
        open(
            r#"{"executor":"ramping-arrival-rate","timeUnit":"1m","preAllocatedVUs":0,"maxVUs":30,
              "stages":[{"duration":"10s","target":5},{"duration":0,"target":3}]}"#
        ),
        (ramping, pool)
    );
}

#[test]
fn all_executors_have_the_common_fields() {
    let plain = accepted(r#"{"executor":"constant-vus","duration":"1s"}"#);
    assert_eq!(
        (plain.name.as_str(), plain.starts_at, plain.graceful_stop),
        ("default", Span::ZERO, secs(30))
    );
    assert_eq!((plain.duration(), plain.exec), (secs(1), None));
    let full = accepted(
        r#"{"executor":"ramping-vus","startVUs":20,"gracefulStop":"15s","gracefulRampDown":"10s","startTime":"23s",
          "exec":"someFunc","env":{"test":"mest"},"tags":{"b":"2","a":"1"},
          "stages":[{"duration":"60s","target":30},{"duration":"130s","target":10}]}"#,
    );
    assert_eq!(
        (full.starts_at, full.graceful_stop, full.duration()),
        (secs(23), secs(15), secs(190))
    );
    assert_eq!(full.exec.as_deref(), Some("someFunc"));
    assert_eq!(full.env, [("test".to_owned(), "mest".to_owned())]);
    let tags: Vec<&str> = full.tags.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!((tags, full.users_max()), (vec!["b", "a"], Some(30)));
}

#[test]
fn shortcuts_stand_for_executors_as_in_k6() {
    for (short, long) in [
        (r#"{}"#, r#"{"executor":"per-vu-iterations"}"#),
        (
            r#"{"vus":5}"#,
            r#"{"executor":"shared-iterations","vus":5,"iterations":5}"#,
        ),
        (
            r#"{"iterations":7}"#,
            r#"{"executor":"shared-iterations","iterations":7}"#,
        ),
        (
            r#"{"iterations":7,"vus":3,"duration":"9s"}"#,
            r#"{"executor":"shared-iterations","iterations":7,"vus":3,"maxDuration":"9s"}"#,
        ),
        (
            r#"{"duration":"9s"}"#,
            r#"{"executor":"constant-vus","duration":"9s"}"#,
        ),
        (
            r#"{"duration":"9s","vus":3,"stages":[]}"#,
            r#"{"executor":"constant-vus","duration":"9s","vus":3}"#,
        ),
        (
            r#"{"stages":[{"duration":"9s","target":4},{"target":9}],"vus":3}"#,
            r#"{"executor":"ramping-vus","startVUs":3,"stages":[{"duration":"9s","target":4}]}"#,
        ),
    ] {
        assert_eq!(accepted(short), accepted(long), "{short}");
    }
}

#[test]
fn conflicts_of_shortcuts_are_refused_as_in_k6() {
    let stages = r#""stages":[{"duration":"9s","target":4}]"#;
    for (json, conflict) in [
        (
            format!(r#"{{"iterations":7,{stages}}}"#),
            "using `iterations` and `stages` simultaneously is not allowed",
        ),
        (
            format!(r#"{{"duration":"9s",{stages}}}"#),
            "using `duration` and `stages` simultaneously is not allowed",
        ),
        (
            r#"{"duration":"0s"}"#.to_owned(),
            "scenario.load.duration: \"0s\" is too short",
        ),
        (
            r#"{"iterations":7,"duration":"10ms"}"#.to_owned(),
            "scenario.load.duration: \"10ms\" is too short",
        ),
        (
            format!(r#"{{"vus":-1,{stages}}}"#),
            "scenario.load.vus: -1 is out of range",
        ),
        (
            r#"{"vus":5,"iterations":2}"#.to_owned(),
            "2 iterations are too few for 5 users",
        ),
        (
            r#"{"vus":5,"rate":2}"#.to_owned(),
            "scenario.load.rate: is no field of a load without executor: accepted are vus, duration, iterations, stages",
        ),
    ] {
        let text = refused(&json);
        assert!(text.contains(conflict), "{json}: {text}");
    }
    let load = config("{}");
    let scenarios = ScenarioMap(vec![("a".to_owned(), config("{}"))]);
    let both = Workloads::parse(Some(&load), Some(&scenarios), "scenario");
    let text = both.expect_err("both").to_string();
    assert!(
        text.contains("using `load` and `scenarios` simultaneously"),
        "{text}"
    );
}

#[test]
fn what_k6_refuses_is_refused_with_path_value_and_what_is_accepted() {
    let rate = r#""executor":"constant-arrival-rate""#;
    let ramp = r#""executor":"ramping-vus""#;
    let shared = r#""executor":"shared-iterations""#;
    let constant = r#""executor":"constant-vus","vus":10"#;
    for (json, expected) in [
        (
            format!("{{{constant}}}"),
            "scenario.load.duration: is missing: accepted are durations from 1s on",
        ),
        (
            format!(r#"{{{constant},"duration":"0s"}}"#),
            "load.duration: \"0s\" is too short: accepted are durations from 1s on",
        ),
        (
            format!(r#"{{{constant},"duration":"10s","startTime":"-10s"}}"#),
            "load.startTime: \"-10s\" is negative",
        ),
        (
            format!(r#"{{{constant},"duration":"10s","gracefulStop":"-2s"}}"#),
            "load.gracefulStop: \"-2s\" is negative",
        ),
        (
            format!(r#"{{{constant},"duration":"10s","exec":""}}"#),
            "load.exec: is empty",
        ),
        (
            format!(r#"{{{constant},"duration":"soon"}}"#),
            "load.duration: \"soon\" is not a duration: accepted are numbers with units",
        ),
        (
            format!(r#"{{{constant},"duration":"1s","rate":5}}"#),
            "load.rate: is no field of constant-vus: accepted are vus, duration, and startTime",
        ),
        (
            r#"{"executor":"constant-vus","vus":0,"duration":"1s"}"#.to_owned(),
            "load.vus: 0 is out of range: accepted are 1 to 100000000",
        ),
        (
            format!(r#"{{{shared},"vus":10}}"#),
            "load.iterations: 1 iterations are too few for 10 users: accepted are 10 or more",
        ),
        (
            format!(r#"{{{shared},"iterations":20,"vus":30}}"#),
            "20 iterations are too few for 30 users",
        ),
        (
            format!(r#"{{{shared},"iterations":-1}}"#),
            "load.iterations: -1 is out of range",
        ),
        (
            format!(r#"{{{shared},"iterations":20,"vus":-10}}"#),
            "load.vus: -10 is out of range",
        ),
        (
            format!(r#"{{{shared},"maxDuration":"-3m"}}"#),
            "load.maxDuration: \"-3m\" is negative",
        ),
        (
            format!(r#"{{{shared},"maxDuration":"0s"}}"#),
            "load.maxDuration: \"0s\" is too short",
        ),
        (
            format!("{{{ramp}}}"),
            "load.stages: has 0 stages: accepted are 1 to 10000",
        ),
        (
            format!(r#"{{{ramp},"stages":[]}}"#),
            "load.stages: has 0 stages",
        ),
        (
            format!(r#"{{{ramp},"stages":[{{"duration":"60s"}}]}}"#),
            "load.stages[0].target: is missing",
        ),
        (
            format!(r#"{{{ramp},"stages":[{{"target":30}}]}}"#),
            "load.stages[0].duration: is missing: accepted are durations from 0s on",
        ),
        (
            format!(r#"{{{ramp},"startVUs":-1,"stages":[{{"duration":"60s","target":-30}}]}}"#),
            "load.startVUs: -1 is out of range: accepted are 0 to 100000000; scenario.load.stages[0].target: -30 is out of range",
        ),
        (
            format!(r#"{{{ramp},"stages":[{{"duration":"-60s","target":30}}]}}"#),
            "load.stages[0].duration: \"-60s\" is negative",
        ),
        (
            format!(r#"{{{ramp},"startVUs":0,"stages":[{{"duration":"12s","target":0}}]}}"#),
            "either startVUs or one of the targets must be above 0",
        ),
        (
            format!(
                r#"{{{ramp},"startVUs":100000001,"stages":[{{"duration":"1s","target":100000002}}]}}"#
            ),
            "100000002 is out of range",
        ),
        (
            format!(r#"{{{rate},"duration":"10m","maxVUs":30}}"#),
            "load.rate: is missing: accepted are 1 to 4294967295; scenario.load.preAllocatedVUs: is missing",
        ),
        (
            format!(r#"{{{rate},"rate":0,"preAllocatedVUs":20}}"#),
            "load.rate: 0 is out of range: accepted are 1 to 4294967295; scenario.load.duration: is missing",
        ),
        (
            format!(r#"{{{rate},"rate":10,"duration":"10m","preAllocatedVUs":20,"maxVUs":15}}"#),
            "load.maxVUs: 15 is out of range: accepted are 20 to 100000000",
        ),
        (
            format!(r#"{{{rate},"rate":10,"duration":"10m","preAllocatedVUs":-1}}"#),
            "load.preAllocatedVUs: -1 is out of range",
        ),
        (
            format!(
                r#"{{{rate},"rate":10,"duration":"10m","preAllocatedVUs":20,"timeUnit":"0s"}}"#
            ),
            "load.timeUnit: \"0s\" is too short",
        ),
        (
            format!(r#"{{{rate},"rate":10,"duration":"10m","preAllocatedVUs":0}}"#),
            "load.maxVUs: 0 users would play nothing",
        ),
        (
            format!(r#"{{{rate},"phases":[]}}"#),
            "load.phases: does not go together with \"executor\"",
        ),
    ] {
        let text = refused(&json);
        assert!(text.contains(expected), "{json}\n{text}\n{expected}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = refused(
        r#"{"executor":"ramping-arrival-rate","startRate":-1,"timeUnit":"x","startTime":"-1s","vus":5,
          "stages":[{"duration":"1s"},{"target":1}]}"#,
    );
    for path in [
        "startRate",
        "timeUnit",
        "startTime",
        "vus",
        "stages[0].target",
        "stages[1].duration",
        "preAllocatedVUs",
    ] {
        assert!(
            text.contains(&format!("scenario.load.{path}: ")),
            "{path}: {text}"
        );
    }
}

#[test]
fn numbers_are_milliseconds_as_in_k6_and_texts_without_unit_are_warned_about() {
    let model = closed(r#"{"executor":"constant-vus","duration":1500}"#);
    assert_eq!(model.duration(), Span::from_ms(1_500));
    let workloads = parse(r#"{"executor":"constant-vus","duration":"60000"}"#).expect("accepted");
    assert_eq!(workloads.list[0].duration(), secs(60));
    let [warning] = &workloads.warnings[..] else {
        panic!("one warning: {:?}", workloads.warnings)
    };
    assert_eq!(warning.path, "scenario.load.duration");
    assert!(
        warning
            .message
            .contains("\"60000\" has no unit and is taken as milliseconds")
    );
}

#[test]
fn several_scenarios_have_names() {
    let map: ScenarioMap = serde_json::from_str(
        r#"{"b_1":{"executor":"constant-vus","duration":"1s"},"a-2":{"phases":[{"pause":1}]}}"#,
    )
    .expect("scenarios");
    let workloads = Workloads::parse(None, Some(&map), "scenario").expect("accepted");
    let names: Vec<&str> = workloads.list.iter().map(|w| w.name.as_str()).collect();
    assert_eq!(names, ["b_1", "a-2"], "in the order of the file");
    for name in ["", "a b", "ä", "a.b"] {
        let map = ScenarioMap(vec![(name.to_owned(), config("{}"))]);
        let problems = Workloads::parse(None, Some(&map), "scenario").expect_err(name);
        assert!(
            problems
                .to_string()
                .contains("is not a name: accepted are letters, digits"),
            "{problems}"
        );
    }
    let empty =
        Workloads::parse(None, Some(&ScenarioMap::default()), "scenario").expect("k6 accepts it");
    assert_eq!((empty.list.len(), empty.warnings.len()), (1, 1));
}

proptest! {
    #[test]
    fn whatever_can_be_read_is_played_or_refused_with_a_reason(
        executor in 0_usize..8, numbers in prop::collection::vec(any::<Option<i64>>(), 6), text in "[0-9dhms.-]{0,6}",
    ) {
        let mut load = config("{}");
        load.executor = crate::scenario::Executor::ALL.get(executor).copied();
        let [vus, iterations, rate, start, pre, max] = numbers[..] else { panic!("six") };
        (load.vus, load.iterations, load.rate) = (vus, iterations, rate);
        (load.start_vus, load.pre_allocated_vus, load.max_vus) = (start, pre, max);
        load.duration = Some(crate::scenario::DurationValue::Text(text));
        match Workloads::parse(Some(&load), None, "scenario") {
            Ok(workloads) => prop_assert_eq!(workloads.list.len(), 1),
            Err(problems) => prop_assert!(!problems.0.is_empty()),
        }
    }
}
