//! A statement with its parameters, as a value: it can be built and tested without a database, and kept for
//! later.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json;
use crate::limits::SQL_PARAMS_MAX;

/// A statement of SQL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Statement {
    /// The text, with a `?` for each parameter.
    pub(crate) sql: String,
    /// The parameters: null, numbers and texts.
    pub(crate) params: Vec<Value>,
}

impl Statement {
    /// A statement.
    pub(crate) fn new(sql: impl Into<String>, params: impl IntoIterator<Item = Value>) -> Self {
        Self {
            sql: sql.into(),
            params: params.into_iter().collect(),
        }
    }
}

/// Statements that insert all rows, as many rows in each as the number of bound parameters allows. A row's
/// fields are its columns; all rows have the same.
pub(super) fn insert_rows<T: Serialize>(table: &str, rows: &[T]) -> Vec<Statement> {
    let objects: Vec<Map<String, Value>> = rows
        .iter()
        .filter_map(|row| json::read(&json::write(row).ok()?).ok())
        .collect();
    let Some(first) = objects.first() else {
        return Vec::new();
    };
    let columns: Vec<&str> = first.keys().map(String::as_str).collect();
    let names = columns.join(", ");
    let places = format!("({})", vec!["?"; columns.len()].join(", "));
    let per_statement = (SQL_PARAMS_MAX / columns.len().max(1)).max(1);
    objects
        .chunks(per_statement)
        .map(|rows| {
            let values = vec![places.as_str(); rows.len()].join(", ");
            let params = rows.iter().flat_map(Map::values).cloned();
            Statement::new(
                format!("INSERT INTO {table} ({names}) VALUES {values}"),
                params,
            )
        })
        .collect()
}

/// The results database of the tests: SQLite in memory with the real migrations.
#[cfg(test)]
pub(crate) mod tests {
    use rusqlite::types::{ToSqlOutput, ValueRef};
    use rusqlite::{Connection, ToSql, params_from_iter};
    use serde_json::{Number, json};

    use super::*;

    pub(crate) struct TestDatabase(Connection);

    impl TestDatabase {
        pub(crate) fn new() -> Self {
            let connection = Connection::open_in_memory().expect("SQLite");
            for migration in [
                include_str!("../../migrations/0003_loadtest_results.sql"),
                include_str!("../../migrations/0004_control.sql"),
                include_str!("../../migrations/0005_budget.sql"),
                include_str!("../../migrations/0006_histograms.sql"),
            ] {
                connection.execute_batch(migration).expect("the migration");
            }
            connection
                .pragma_update(None, "foreign_keys", true)
                .expect("foreign keys, as in D1");
            Self(connection)
        }

        /// Rows that the statement changed.
        pub(crate) fn run(&self, statement: &Statement) -> usize {
            assert!(statement.params.len() <= SQL_PARAMS_MAX);
            let params = params_from_iter(statement.params.iter().map(Param));
            self.0
                .execute(&statement.sql, params)
                .expect(&statement.sql)
        }

        pub(crate) fn run_all(&self, statements: &[Statement]) {
            for statement in statements {
                self.run(statement);
            }
        }

        pub(crate) fn rows(&self, statement: &Statement) -> Vec<Map<String, Value>> {
            let mut prepared = self.0.prepare(&statement.sql).expect(&statement.sql);
            let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
            let params = params_from_iter(statement.params.iter().map(Param));
            let rows = prepared.query_map(params, |row| {
                let mut object = Map::new();
                for (at, name) in names.iter().enumerate() {
                    let value = match row.get_ref(at)? {
                        ValueRef::Null => Value::Null,
                        ValueRef::Integer(number) => number.into(),
                        ValueRef::Real(number) => {
                            Number::from_f64(number).map_or(Value::Null, Value::Number)
                        }
                        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
                        ValueRef::Blob(_) => "blob".into(),
                    };
                    object.insert(name.clone(), value);
                }
                Ok(object)
            });
            rows.expect(&statement.sql)
                .collect::<Result<_, _>>()
                .expect("rows")
        }
    }

    struct Param<'a>(&'a Value);

    impl ToSql for Param<'_> {
        fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
            Ok(match self.0 {
                Value::Null => ToSqlOutput::Owned(rusqlite::types::Value::Null),
                Value::String(text) => text.as_str().into(),
                Value::Number(number) => match number.as_i64() {
                    Some(whole) => whole.into(),
                    None => number.as_f64().expect("a number").into(),
                },
                other => panic!("{other} is not a parameter"),
            })
        }
    }

    #[test]
    fn rows_are_spread_over_statements_by_their_parameters() {
        let rows: Vec<Value> = (0..100)
            .map(|n| json!({"a": n, "b": "x", "c": null}))
            .collect();
        let statements = insert_rows("t", &rows);
        let counts: Vec<usize> = statements.iter().map(|s| s.params.len()).collect();
        assert_eq!(counts, [99, 99, 99, 3]);
        assert!(insert_rows::<Value>("t", &[]).is_empty());
    }
}
