//! The five tables have exactly the columns and indexes of the spec: Vista reads them directly.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Lab, TABLES};

const SPEC: &str = include_str!("spec_schema.sql");

/// What SQLite says about a table, by query; `{}` is the table.
const QUESTIONS: [&str; 3] = [
    "SELECT cid, name, type, \"notnull\", dflt_value, pk FROM pragma_table_xinfo('{}') ORDER BY cid",
    "SELECT \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list('{}') ORDER BY id",
    "SELECT l.name, l.\"unique\", l.partial, x.seqno, x.name AS column_name, x.\"desc\", x.coll \
     FROM pragma_index_list('{}') l, pragma_index_xinfo(l.name) x ORDER BY l.name, x.seqno",
];

#[test]
fn columns_foreign_keys_and_indexes_are_those_of_the_spec() {
    let lab = Lab::shared();
    let spec = Connection::open_in_memory().expect("a database in memory");
    spec.execute_batch(SPEC).expect("the spec's SQL");
    for table in TABLES {
        for question in QUESTIONS {
            let sql = question.replace("{}", table);
            let expected = rows(&spec, &sql);
            assert_eq!(lab.rows(&sql), expected, "{sql}");
        }
    }
    // The comparison is not empty.
    let indexes = rows(&spec, &QUESTIONS[2].replace("{}", "load_test_runs"));
    assert!(
        indexes
            .iter()
            .any(|row| row["name"] == "idx_runs_started" && row["desc"] == 1)
    );
    assert_eq!(
        rows(&spec, &QUESTIONS[0].replace("{}", "load_test_metrics")).len(),
        15
    );
}

#[test]
fn a_run_without_a_status_is_running_and_its_rows_go_with_it() {
    let lab = Lab::shared();
    // Word for word, because defaults and ON DELETE are part of what Vista may rely on.
    for table in TABLES {
        let sql =
            format!("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = '{table}'");
        let stored = lab.value(&sql).as_str().expect("a text").to_owned();
        let spec = Connection::open_in_memory().expect("a database in memory");
        spec.execute_batch(SPEC).expect("the spec's SQL");
        let expected: String = spec
            .query_row(&sql, [], |row| row.get(0))
            .expect("the table");
        assert_eq!(bare(&stored), bare(&expected), "{table}");
    }
}

/// A statement without comments and with single spaces.
fn bare(sql: &str) -> String {
    let lines = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let text: String = lines.collect::<Vec<_>>().join(" ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rows(connection: &Connection, sql: &str) -> Vec<Value> {
    let mut statement = connection.prepare(sql).expect("valid SQL");
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).expect("rows");
    let mut found = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        let fields = names.iter().enumerate().map(|(index, name)| {
            let value = match row
                .get::<_, rusqlite::types::Value>(index)
                .expect("a value")
            {
                rusqlite::types::Value::Integer(number) => json!(number),
                rusqlite::types::Value::Real(number) => json!(number),
                rusqlite::types::Value::Text(text) => json!(text),
                rusqlite::types::Value::Null | rusqlite::types::Value::Blob(_) => Value::Null,
            };
            (name.clone(), value)
        });
        found.push(Value::Object(fields.collect()));
    }
    found
}
