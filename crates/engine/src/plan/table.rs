//! From the scenario's data to tables.

use super::parse::shown;
use super::problem::{Checked, Report};
use crate::data::Table;
use crate::load_model::Model;
use crate::plan::{LoadModel, PlannedScenario};
use crate::scenario::{DataConfig, DataPer, DataPick, LoadScenario};
use crate::sorted::SortedSet;
use crate::template::is_variable_name;

/// Checks the scenario's tables. One that cannot be used is there with its columns, so that templates that
/// refer to it are no further problem.
pub(super) fn parse(scenario: &LoadScenario, report: &mut Report) -> Vec<Table> {
    let data = scenario.data.iter().flat_map(|data| data.iter());
    let tables: Vec<Table> = data
        .take(TABLES_MAX)
        .map(|(name, config)| table(name, config, report))
        .collect();
    let count = scenario.data.as_ref().map_or(0, |data| data.0.len());
    if count > TABLES_MAX {
        report.problem(
            "scenario.data",
            format_args!("has {count} tables: accepted are up to {TABLES_MAX}"),
        );
    }
    let values = tables.iter().flat_map(|table| table.rows.iter().flatten());
    let bytes = values.fold(0_usize, |sum, value| sum.saturating_add(value.len()));
    if bytes > DATA_BYTES_MAX {
        report.problem(
            "scenario.data",
            format_args!(
                "holds {bytes} bytes: accepted are up to {DATA_BYTES_MAX} in all tables together"
            ),
        );
    }
    tables
}

/// Checks that rows that may be dealt once each suffice, where it is known how many are needed.
pub(super) fn check_unique(
    tables: &[Table],
    scenarios: &[PlannedScenario],
    report: &mut Report,
) -> Checked<()> {
    let users = scenarios
        .iter()
        .map(|scenario| u64::from(scenario.users_max()));
    let users = users.fold(0, u64::saturating_add);
    // Iterations are numbered through all scenarios in turn.
    let count = scenarios.len() as u64;
    let iterations = (0_u64..).zip(scenarios).map(|(place, scenario)| {
        let Model::Closed(model) = &scenario.model else {
            return 0;
        };
        let last = match model {
            LoadModel::SharedIterations { iterations, .. } => iterations.saturating_sub(1),
            LoadModel::PerVuIterations {
                vus, iterations, ..
            } => iterations.saturating_mul(u64::from(*vus)).saturating_sub(1),
            LoadModel::RampingVus { .. } => return 0, // the target decides
        };
        last.saturating_mul(count)
            .saturating_add(place)
            .saturating_add(1)
    });
    let iterations = iterations.max().unwrap_or(0);
    let mut result = Ok(());
    for table in tables.iter().filter(|table| table.pick == DataPick::Unique) {
        let rows = table.rows.len();
        let (needed, whom) = match table.per {
            DataPer::User => (users, "users"),
            DataPer::Iteration => (iterations, "iterations"),
        };
        if u64::try_from(rows).is_ok_and(|rows| rows < needed) {
            result = Err(report.problem(
                format!("scenario.data.{}", table.name),
                format_args!(
                    "has {rows} rows for {needed} {whom}, each of which needs one of its own"
                ),
            ));
        }
    }
    result
}

fn table(name: &str, config: &DataConfig, report: &mut Report) -> Table {
    let path = format!("scenario.data.{name}");
    if !is_variable_name(name) {
        report.problem(
            "scenario.data",
            format_args!(
                "{} is not a name for a table: accepted are up to 64 letters, digits and \"_\", not beginning with \
                 a digit, and not the name of something built in",
                shown(name)
            ),
        );
    }
    let rows = config.rows.len();
    if rows == 0 || rows > ROWS_MAX {
        report.problem(
            format!("{path}.rows"),
            format_args!("has {rows} rows: accepted are 1 to {ROWS_MAX}"),
        );
    }
    let first = config.rows.first();
    let columns: Vec<String> = first
        .iter()
        .flat_map(|row| row.iter().map(|(name, _)| name.to_owned()))
        .collect();
    if columns.len() > COLUMNS_MAX || rows > 0 && columns.is_empty() {
        report.problem(
            format!("{path}.rows[0]"),
            format_args!(
                "has {} columns: accepted are 1 to {COLUMNS_MAX}",
                columns.len()
            ),
        );
    }
    let wanted = SortedSet::from_iter(columns.iter().map(String::as_str));
    let mut table = Table {
        name: name.to_owned(),
        columns: columns.clone(),
        rows: Vec::new(),
        pick: config.pick,
        per: config.per,
    };
    for (at, row) in config.rows.iter().take(ROWS_MAX).enumerate() {
        let given = SortedSet::from_iter(row.iter().map(|(name, _)| name));
        if given != wanted {
            report.problem(
                format!("{path}.rows[{at}]"),
                format_args!(
                    "has the columns [{}]: each row has those of the first, [{}]",
                    given.into_iter().collect::<Vec<_>>().join(", "),
                    columns.join(", ")
                ),
            );
            break;
        }
        let value = |column: &String| {
            let found = row.iter().find(|(name, _)| name == column);
            found.map(|(_, value)| value.to_text()).unwrap_or_default()
        };
        table.rows.push(columns.iter().map(value).collect());
    }
    table
}

const TABLES_MAX: usize = 16;

const COLUMNS_MAX: usize = 64;

const ROWS_MAX: usize = 10_000;

/// A plan travels to every batch and is stored with its run.
const DATA_BYTES_MAX: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use crate::plan::Plan;
    use crate::plan::parse::tests::{problems, source};

    #[test]
    fn tables_have_the_columns_of_their_first_row() {
        let mut source = source();
        source.scenario.data = serde_json::from_str(
            r#"{"users": {"rows": [{"mail": "a@b", "age": 7, "ok": true}, {"ok": false, "age": 1.5, "mail": ""}]}}"#,
        )
        .unwrap();
        let plan = Plan::parse(&source).unwrap();
        assert_eq!(plan.tables()[0].columns, ["mail", "age", "ok"]);
        assert_eq!(
            plan.tables()[0].rows,
            [["a@b", "7", "true"], ["", "1.5", "false"]]
        );
    }

    #[test]
    fn tables_that_cannot_be_dealt_are_refused() {
        for (data, expected) in [
            (
                r#"{"1a": {"rows": [{"a": 1}]}}"#,
                "scenario.data: \"1a\" is not a name for a table",
            ),
            (
                r#"{"t": {"rows": []}}"#,
                "scenario.data.t.rows: has 0 rows: accepted are 1 to",
            ),
            (
                r#"{"t": {"rows": [{}]}}"#,
                "scenario.data.t.rows[0]: has 0 columns",
            ),
            (
                r#"{"t": {"rows": [{"a": 1, "b": 2}, {"a": 1, "c": 2}]}}"#,
                "scenario.data.t.rows[1]: has the columns [a, c]: each row has those of the first, [a, b]",
            ),
            (
                r#"{"t": {"rows": [{"a": 1}, {"a": 2}], "pick": "unique", "per": "user"}}"#,
                "scenario.data.t: has 2 rows for 20 users",
            ),
        ] {
            let mut source = source();
            source.scenario.data = serde_json::from_str(data).unwrap();
            let text = problems(&source);
            assert!(text.contains(expected), "{text}");
        }
        let mut source = source();
        let rows: Vec<String> = (0..9_000)
            .map(|_| format!(r#"{{"a": "{}"}}"#, "x".repeat(100)))
            .collect();
        source.scenario.data =
            serde_json::from_str(&format!(r#"{{"t": {{"rows": [{}]}}}}"#, rows.join(","))).unwrap();
        assert!(problems(&source).contains("scenario.data: holds 900000 bytes"));
    }
}
