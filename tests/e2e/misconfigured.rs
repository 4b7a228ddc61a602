//! A variable that is missing or malformed is told by name, in health and to whoever asks first.

use devstack::{DevStack, Options};

#[test]
fn a_malformed_variable_is_named_without_its_value() {
    let options = Options::default()
        .var("MAX_USERS", "many-secret-users")
        .var("MAX_DURATION", "");
    let error = DevStack::start(options).expect_err("its health is not 200");
    let text = format!("{error:#}");
    let (answer, log) = text.split_once('\n').unwrap_or((&text, ""));
    assert!(
        answer.contains("MAX_USERS") && answer.contains("MAX_DURATION"),
        "{text}"
    );
    assert!(
        answer.contains("misconfigured") && !answer.contains("many-secret"),
        "{text}"
    );
    assert!(!log.contains("panicked"), "{text}");
}
