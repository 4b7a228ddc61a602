//! From the command line to a plan: finds the files, and puts the options over what they say.
//!
//! Invariant: everything that is wrong is told at once, each with its place.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use sentinel_engine::plan::{Plan, PlanOptions, PlanPart, PlanSource, Problem, Problems, Via};
use sentinel_engine::scenario::{
    ApplicationProfile, DurationValue, Executor, LoadConfig, LoadScenario, StageConfig,
    parse_application, parse_scenario,
};

use crate::arguments::ScenarioArguments;
use crate::exit::{Exit, Stopped};

/// Where scenarios are looked for by name, from the current folder upwards.
const SCENARIOS: &str = "scenarios";
/// Where the applications of a scenario are, beside it.
const APPLICATIONS: &str = "applications";

/// How many redirects a request follows, as in k6.
const MAX_REDIRECTS: u32 = 10;

/// More users than one machine can play; it keeps a slip of the finger from asking for more.
const USERS_MAX: u32 = 1_000_000;
/// The longest run, in seconds: a week.
const DURATION_MAX_S: u64 = 7 * 86_400;

/// Checks a scenario and says what is wrong with it.
pub(crate) fn validate(arguments: &ScenarioArguments) -> Result<Exit, Stopped> {
    let plan = prepare(arguments, Purpose::Looking)?;
    for Problem { path, message } in plan.warnings() {
        say!("note: {path}: {message}")?;
    }
    let steps: usize = plan.applications().iter().map(|a| a.steps.len()).sum();
    say!(
        "{}: valid; {} applications, {steps} requests, up to {} users",
        plan.name(),
        plan.applications().len(),
        plan.users_max()
    )?;
    Ok(Exit::Passed)
}

/// What a plan is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is only looked at, so that relative URLs may lead anywhere.
    Looking,
    /// It is run.
    Running,
}

/// The plan that the command line asks for.
pub(crate) fn prepare(arguments: &ScenarioArguments, purpose: Purpose) -> Result<Plan, Stopped> {
    let path = find(&arguments.scenario)?;
    let (mut scenario, applications) = read_files(&path, &arguments.applications)?;
    if let Some(load) = load(arguments) {
        scenario.user_profile = None;
        scenario.scenarios = None;
        scenario.load = Some(load);
    }
    let redirects = arguments.max_redirects.or(scenario.max_redirects);
    scenario.max_redirects = redirects.or(Some(MAX_REDIRECTS));
    let base_url = match (&arguments.base_url, purpose) {
        (Some(url), _) => url.clone(),
        (None, Purpose::Looking) => "http://localhost".to_owned(),
        (None, Purpose::Running) => {
            return Err(Stopped::invalid(
                "where to? Say it with --base-url, such as --base-url http://127.0.0.1:8788",
            ));
        }
    };
    let mut allowed_hosts = arguments.allowed_hosts.clone();
    // One without a host is refused for that alone.
    let host = authority(&base_url).filter(|host| !host.is_empty());
    allowed_hosts.extend(host.map(str::to_owned));
    let replaced = scenario.load.is_some() && is_load_given(arguments);
    let source = PlanSource {
        applications,
        options: PlanOptions {
            base_url,
            allowed_hosts,
            own_hosts: Vec::new(),
            // Whoever runs a load test on a laptop means a machine nearby as often as not.
            allow_private: true,
            part: PlanPart {
                execution_segment: arguments.execution_segment,
                execution_segment_sequence: arguments.execution_segment_sequence.clone(),
                share: arguments.share.map(|share| share.0),
            },
            via: Via::Host, // a laptop has no bindings
            seed: arguments.seed.unwrap_or_else(random_seed),
            users: arguments.users,
            duration: arguments.duration.clone().filter(|_| !replaced),
            profile: arguments.profile.clone(),
            users_max: USERS_MAX,
            duration_max_s: DURATION_MAX_S,
        },
        scenario,
    };
    Plan::parse(&source).map_err(|problems| told(&path, &problems))
}

/// A scenario and the applications that it plays: those given, then those beside it.
///
/// # Errors
/// Everything that is wrong with a file.
pub(crate) fn read_files(
    path: &Path,
    given: &[PathBuf],
) -> Result<(LoadScenario, Vec<ApplicationProfile>), Stopped> {
    let scenario = parse_scenario(&read(path)?).map_err(|problems| told(path, &problems))?;
    let applications = applications(given, path, &scenario)?;
    Ok((scenario, applications))
}

/// Whether a scenario is named by its path, not by its name.
pub(crate) fn is_path(scenario: &str) -> bool {
    let path = Path::new(scenario);
    path.is_file() || path.extension().is_some() || path.components().count() > 1
}

/// Host and port of a URL as written, for the list of hosts that load may go to.
fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

fn is_load_given(arguments: &ScenarioArguments) -> bool {
    arguments.vus.is_some()
        || arguments.iterations.is_some()
        || arguments.rate.is_some()
        || !arguments.stages.is_empty()
}

/// The load of k6's shortcuts, `None` when none of them is used.
fn load(arguments: &ScenarioArguments) -> Option<LoadConfig> {
    if !is_load_given(arguments) {
        return None;
    }
    let duration = arguments.duration.clone().map(DurationValue::Text);
    let vus = arguments.vus.map(i64::from);
    if let Some(rate) = arguments.rate {
        return Some(LoadConfig {
            executor: Some(Executor::ConstantArrivalRate),
            rate: Some(rate.into()),
            duration,
            // As many as are busy when an iteration takes a second, if nobody says better.
            pre_allocated_vus: Some(vus.unwrap_or(rate.into())),
            ..LoadConfig::default()
        });
    }
    let stages = arguments.stages.iter().map(|stage| StageConfig {
        duration: Some(DurationValue::Text(stage.duration.clone())),
        target: Some(stage.target.into()),
    });
    let stages: Vec<_> = stages.collect();
    Some(LoadConfig {
        vus,
        duration,
        iterations: arguments.iterations.map(i64::from),
        stages: (!stages.is_empty()).then_some(stages),
        ..LoadConfig::default()
    })
}

/// The file of a scenario: a path, or a name in the nearest folder of scenarios.
fn find(scenario: &str) -> Result<PathBuf, Stopped> {
    if is_path(scenario) {
        return Ok(PathBuf::from(scenario));
    }
    let here = std::env::current_dir().map_err(Stopped::failed)?;
    let folders: Vec<PathBuf> = here
        .ancestors()
        .map(|folder| folder.join(SCENARIOS))
        .filter(|folder| folder.is_dir())
        .collect();
    let found = folders
        .iter()
        .map(|folder| folder.join(scenario).with_extension("json"))
        .find(|file| file.is_file());
    found.ok_or_else(|| {
        let known = folders
            .first()
            .map(|folder| names(folder))
            .unwrap_or_default();
        if known.is_empty() {
            Stopped::invalid(format_args!(
                "{scenario:?} is no file, and no folder {SCENARIOS:?} is here or above"
            ))
        } else {
            Stopped::invalid(format_args!(
                "no scenario {scenario:?}: there are {}",
                known.join(", ")
            ))
        }
    })
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "schema")
        .collect();
    names.sort();
    names
}

fn applications(
    given: &[PathBuf],
    scenario_path: &Path,
    scenario: &LoadScenario,
) -> Result<Vec<ApplicationProfile>, Stopped> {
    let parse =
        |path: &Path| parse_application(&read(path)?).map_err(|problems| told(path, &problems));
    let given = given.iter().map(|path| parse(path));
    let mut applications = given.collect::<Result<Vec<_>, _>>()?;
    let folder = scenario_path.with_file_name(APPLICATIONS);
    for used in &scenario.applications {
        let path = folder.join(&used.name).with_extension("json");
        let known = applications.iter().any(|known| known.name == used.name);
        if !known && path.is_file() {
            applications.push(parse(&path)?);
        }
    }
    Ok(applications)
}

/// A file that may be a scenario or an application, without the mark that some editors put before it.
fn read(path: &Path) -> Result<Vec<u8>, Stopped> {
    let refused = |why: &dyn Display| Stopped::invalid(format_args!("{}: {why}", path.display()));
    let mut bytes = fs::read(path).map_err(|error| refused(&error))?;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => Ok(bytes),
        Some(_) => Err(refused(
            &"does not begin as a JSON object: accepted are scenarios and applications as JSON, which `sentinel import` makes of other tools' files",
        )),
        None => Err(refused(&"is empty: accepted is a JSON object")),
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn told(path: &Path, problems: &Problems) -> Stopped {
    let lines = problems.0.iter().map(|Problem { path, message }| {
        match (path.is_empty(), path.strip_prefix("options.")) {
            (true, _) => format!("\n  {message}"),
            (false, Some("allowedHosts")) => format!("\n  --allow-host: {message}"),
            (false, Some(option)) => format!("\n  --{}: {message}", kebab(option)),
            (false, None) => format!("\n  {path}: {message}"),
        }
    });
    Stopped::invalid(format_args!(
        "{} cannot be run:{}",
        path.display(),
        lines.collect::<String>()
    ))
}

/// How an option of the plan is written on the command line: `baseUrl` is `--base-url`.
fn kebab(option: &str) -> String {
    let mut words = String::new();
    for c in option.chars() {
        if c.is_ascii_uppercase() {
            words.push('-');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

/// 53 random bits: a number that every reader of JSON holds exactly.
pub(crate) fn random_seed() -> u64 {
    getrandom::u64().unwrap_or(1) >> 11
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_named_as_on_the_command_line() {
        assert_eq!(kebab("baseUrl"), "base-url");
        assert_eq!(kebab("users"), "users");
    }

    #[test]
    fn the_host_of_the_base_url_is_allowed_as_written() {
        assert_eq!(
            authority("http://127.0.0.1:8788/a?b"),
            Some("127.0.0.1:8788")
        );
        assert_eq!(authority("https://grove.place"), Some("grove.place"));
        assert_eq!(authority("grove.place"), None);
    }
}
