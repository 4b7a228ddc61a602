//! Runs of which nothing came through.

use std::collections::BTreeMap;

use sentinel_engine::error_class::ErrorClass;
use sentinel_engine::summary::TestRunResult;

/// What kept all requests from these hosts; `None` if one came through, or broke off later than at the door.
///
/// Such a run says nothing about its target, and must not pass, even where nothing had to hold.
pub(super) fn told(result: &TestRunResult, hosts: &[String]) -> Option<String> {
    let mut errors: BTreeMap<ErrorClass, u64> = BTreeMap::new();
    for step in &result.steps {
        for (class, count) in &step.error_breakdown {
            *errors.entry(*class).or_default() += count;
        }
    }
    errors.remove(&ErrorClass::CutOff);
    let at_the_door = |class| {
        let door = [ErrorClass::Dns, ErrorClass::Connect, ErrorClass::Tls];
        door.contains(class)
    };
    if result.ledger.answered > 0 || errors.is_empty() || !errors.keys().all(at_the_door) {
        return None;
    }
    let counts = errors
        .iter()
        .map(|(class, count)| format!("{count} {class}"));
    let counts: Vec<String> = counts.collect();
    let hint = if errors.contains_key(&ErrorClass::Tls) {
        "; --cacert FILE trusts further certificates"
    } else {
        ""
    };
    Some(format!(
        "no request reached {}: all ended as errors ({}){hint}",
        hosts.join(", "),
        counts.join(", ")
    ))
}
