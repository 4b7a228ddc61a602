//! The scenarios and applications that the Worker knows by name: the files in `scenarios/`, embedded when the
//! Worker is built.

use sentinel_engine::scenario::{
    ApplicationProfile, LoadScenario, parse_application, parse_scenario,
};

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

/// The names of all scenarios, in alphabetical order.
pub(crate) fn names() -> Vec<&'static str> {
    SCENARIOS.iter().map(|(name, _)| *name).collect()
}

/// The scenario with this name.
pub(crate) fn scenario(name: &str) -> Option<LoadScenario> {
    let (_, text) = SCENARIOS.iter().find(|(known, _)| *known == name)?;
    parse_scenario(text.as_bytes()).ok()
}

/// The application with this name.
pub(crate) fn application(name: &str) -> Option<ApplicationProfile> {
    let (_, text) = APPLICATIONS.iter().find(|(known, _)| *known == name)?;
    parse_application(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_what_its_name_says() {
        for (name, text) in SCENARIOS {
            let scenario = parse_scenario(text.as_bytes()).expect(name);
            assert_eq!(scenario.name, *name);
            for used in &scenario.applications {
                assert!(
                    application(&used.name).is_some(),
                    "{name} plays {}",
                    used.name
                );
            }
        }
        for (name, text) in APPLICATIONS {
            let application = parse_application(text.as_bytes()).expect(name);
            assert_eq!(application.name, *name);
        }
    }
}
