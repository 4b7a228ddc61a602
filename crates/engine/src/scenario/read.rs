//! Reading scenario and application files.

use serde::de::DeserializeOwned;

use super::{ApplicationProfile, LoadScenario};
use crate::json;
use crate::plan::{Problem, Problems};

/// Reads a scenario file. The caller limits its size.
///
/// # Errors
/// The first place where the text is not a scenario, with its path, line and column.
pub fn parse_scenario(json: &[u8]) -> Result<LoadScenario, Problems> {
    read(json, "scenario")
}

/// Reads an application file. The caller limits its size.
///
/// # Errors
/// The first place where the text is not an application, with its path, line and column.
pub fn parse_application(json: &[u8]) -> Result<ApplicationProfile, Problems> {
    read(json, "application")
}

fn read<T: DeserializeOwned>(json: &[u8], root: &str) -> Result<T, Problems> {
    json::from_slice(json).map_err(|error| {
        let path = match error.path() {
            "" => root.to_owned(),
            path => format!("{root}.{path}"),
        };
        let message = error.to_string();
        Problems(vec![Problem { path, message }])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{ExpectedStatuses, RequestBody};
    use proptest::prelude::*;

    const SCENARIO: &str = r#"{
      "name": "mix",
      "applications": [{ "name": "read", "weight": 1 }],
      "userProfile": {
        "rampUp": { "from": 0, "to": 10, "duration": "30s" },
        "peak": { "users": 10, "duration": "1m" },
        "steadyState": { "users": 5, "duration": "1m" },
        "rampDown": { "to": 0, "duration": "10s" }
      },
      "tenants": ["a"], "pause": "2s"
    }"#;

    const APPLICATION: &str = r#"{
      "name": "read",
      "steps": [{
        "name": "list", "extract": { "b": "$.b", "a": "$.a" },
        "request": { "method": "POST", "url": "/x", "body": { "a": [1, 2.5, null, "x", true, {}] } },
        "expect": { "status": [200, 304], "latencyMs": { "p95": 200 } }
      }, {
        "name": "text", "request": { "method": "PUT", "url": "/x", "body": "plain" }, "expect": { "status": 201 }
      }],
      "doInteractions": [{ "do": "SessionDO", "pattern": "read-heavy", "id": "session:{{userId}}" }],
      "variants": ["short", "long"]
    }"#;

    fn problem<T: std::fmt::Debug>(result: Result<T, Problems>) -> String {
        result.expect_err("must be refused").to_string()
    }

    #[test]
    fn what_is_read_is_written_as_the_same() {
        let scenario = parse_scenario(SCENARIO.as_bytes()).unwrap();
        let written = serde_json::to_vec(&scenario).unwrap();
        assert_eq!(parse_scenario(&written).unwrap(), scenario);
        let application = parse_application(APPLICATION.as_bytes()).unwrap();
        let written = serde_json::to_vec(&application).unwrap();
        assert_eq!(parse_application(&written).unwrap(), application);
    }

    #[test]
    fn values_with_several_forms_are_told_apart() {
        let application = parse_application(APPLICATION.as_bytes()).unwrap();
        let requests: Vec<_> = application
            .steps
            .iter()
            .filter_map(|step| step.as_request())
            .collect();
        let [list, text] = requests[..] else {
            panic!("two requests")
        };
        assert_eq!(
            list.expect.status,
            Some(ExpectedStatuses::AnyOf(vec![200, 304]))
        );
        assert_eq!(text.expect.status, Some(ExpectedStatuses::One(201)));
        assert!(matches!(list.request.body, Some(RequestBody::Object(_))));
        assert_eq!(
            text.request.body,
            Some(RequestBody::Text("plain".to_owned()))
        );
        let extract: Vec<_> = list.extract.iter().flat_map(|map| map.iter()).collect();
        let extract: Vec<_> = extract
            .into_iter()
            .map(|(name, rule)| (name, rule.place()))
            .collect();
        assert_eq!(
            extract,
            [("b", "$.b"), ("a", "$.a")],
            "the file's order stays"
        );
    }

    #[test]
    fn errors_name_the_path_the_line_and_what_is_accepted() {
        let cases = [
            (
                SCENARIO.replace("\"1m\" },\n        \"steady", "60 },\n        \"steady"),
                "scenario.userProfile.peak.duration: invalid type: integer `60`, expected a duration in quotes such as \"90s\" or \"1.5m\" at line 6",
            ),
            (
                SCENARIO.replace("\"to\": 10", "\"to\": 1.5"),
                "scenario.userProfile.rampUp.to: invalid type: floating point `1.5`, expected a whole number at line 5",
            ),
            (
                SCENARIO.replace("\"pause\"", "\"puase\""),
                "unknown field `puase`",
            ),
            (
                SCENARIO.replace("\"tenants\"", "\"name\""),
                "duplicate field `name` at line 10",
            ),
            (
                SCENARIO.replace("\"2s\"", "2"),
                "scenario.pause: invalid type: integer `2`, expected a duration",
            ),
            (format!("{SCENARIO} x"), "trailing characters at line 11"),
            (String::new(), "scenario: EOF while parsing"),
        ];
        for (json, expected) in cases {
            let message = problem(parse_scenario(json.as_bytes()));
            assert!(message.contains(expected), "{message}\n{expected}");
        }
    }

    #[test]
    fn duplicate_keys_are_refused_in_every_map() {
        for (from, to) in [
            (r#""a": "$.a""#, r#""b": "$.a""#),
            ("{} ]", r#"{"k": 1, "k": 2} ]"#),
            (r#""a": [1,"#, r#""a": 1, "a": [1,"#),
        ] {
            let json = APPLICATION.replace("{}]", "{} ]").replace(from, to);
            assert!(problem(parse_application(json.as_bytes())).contains("duplicate key"));
        }
    }

    #[test]
    fn wrong_forms_are_refused_with_the_accepted_ones() {
        for (from, to, expected) in [
            (
                "201",
                "\"201\"",
                "expected an HTTP status or a list of HTTP statuses",
            ),
            (
                "\"plain\"",
                "[1]",
                "expected a body: an object, sent as JSON, or a text",
            ),
            (
                "\"$.b\"",
                "1",
                "application.steps[0].extract.b: invalid type: integer `1`, expected a place such as",
            ),
            (
                "\"PUT\"",
                "\"put\"",
                "unknown variant `put`, expected one of `GET`",
            ),
            ("SessionDO", "OtherDO", "unknown variant `OtherDO`"),
        ] {
            let message = problem(parse_application(APPLICATION.replace(from, to).as_bytes()));
            assert!(message.contains(expected), "{message}\n{expected}");
        }
    }

    const FLOW: &str = r#"{
      "name": "flow", "pacing": "1s~100ms",
      "steps": [
        { "think": "1s-2s" },
        { "name": "many", "loop": { "times": 3, "steps": [
          { "choose": [{ "weight": 2, "steps": [{ "think": "5s" }] }, { "weight": 1, "steps": [] }] }
        ] } },
        { "name": "r", "request": { "method": "GET", "url": "/" }, "think": "1s", "repeatPattern": { "interval": "5s" },
          "expect": { "checks": [{ "name": "c", "on": "$.a", "equals": null, "length": { "min": 1 }, "required": true }] },
          "extract": { "v": { "from": "$.a", "pick": "random", "default": "x" }, "w": "status" } }
      ],
      "actions": [{ "name": "a", "weight": 1, "delay": "1s", "steps": [{ "loop": { "over": "t", "steps": [{ "think": "1s" }] } }] }]
    }"#;

    #[test]
    fn flows_with_steps_of_every_kind_are_written_as_they_were_read() {
        let application = parse_application(FLOW.as_bytes()).unwrap();
        let written = serde_json::to_vec(&application).unwrap();
        assert_eq!(parse_application(&written).unwrap(), application);
        let scenario = SCENARIO.replace(
            "\"tenants\"",
            r#""cookies": "iteration", "data": { "t": { "rows": [{ "a": 1, "b": "x" }], "pick": "unique", "per": "user" } },
            "setup": [{ "think": "1s" }], "teardown": [], "pacing": "1s", "tenants""#,
        );
        let scenario = parse_scenario(scenario.as_bytes()).unwrap();
        let written = serde_json::to_vec(&scenario).unwrap();
        assert_eq!(parse_scenario(&written).unwrap(), scenario);
    }

    #[test]
    fn a_step_is_of_exactly_one_kind() {
        for (step, expected) in [
            (
                "{}",
                "of exactly one kind, by the field \"request\", \"think\", \"loop\", \"choose\", \"ws\", \"send\" or \"receive\"; this one has none of them",
            ),
            (
                r#"{"think": "1s", "choose": []}"#,
                "this one has think and choose",
            ),
            (
                r#"{"request": {"method": "GET", "url": "/"}, "loop": {"times": 1, "steps": []}, "name": "x"}"#,
                "this one has request and loop",
            ),
            (
                r#"{"think": "1s", "extract": {}}"#,
                "\"extract\" belongs to a request, and this step is a \"think\"",
            ),
            (
                r#"{"request": {"method": "GET", "url": "/"}}"#,
                "a request needs a \"name\"",
            ),
            (
                r#"{"loop": {"times": 1.5, "steps": []}}"#,
                "application.steps[0].loop.times: invalid type: floating point",
            ),
            (r#"{"loops": 1}"#, "unknown field `loops`"),
        ] {
            let json = format!(r#"{{"name": "a", "steps": [{step}]}}"#);
            let message = problem(parse_application(json.as_bytes()));
            assert!(
                message.contains(expected) && message.contains("application.steps[0]"),
                "{message}\n{expected}"
            );
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_crash() {
        let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        let json = APPLICATION.replace("\"plain\"", &deep);
        assert!(problem(parse_application(json.as_bytes())).contains("recursion limit"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 2))]
        #[test]
        fn no_text_is_too_strange(json in any::<Vec<u8>>()) {
            let _ = parse_scenario(&json);
        }

        #[test]
        fn damaged_flows_do_no_harm(at in 0..FLOW.len(), byte in any::<u8>()) {
            let mut json = FLOW.as_bytes().to_vec();
            json[at] = byte;
            let _ = parse_application(&json);
        }

        #[test]
        fn damaged_files_do_no_harm(at in 0..APPLICATION.len(), byte in any::<u8>()) {
            let mut json = APPLICATION.as_bytes().to_vec();
            json[at] = byte;
            let _ = parse_application(&json);
        }
    }
}
