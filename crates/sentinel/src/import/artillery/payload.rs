//! Payload files: their rows become tables.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::template::Scope;
use crate::import::draft::{Draft, identifier};
use crate::import::tree::Node;

/// A table holds no more rows.
const ROWS_MAX: usize = 10_000;
/// All tables together hold no more; room is left for names.
const BYTES_MAX: u64 = 400 << 10;

/// Imports the payloads of a configuration.
pub(super) fn import(config: &Node<'_>, folder: &Path, draft: &mut Draft, scope: &mut Scope) {
    let Some(payloads) = config.get("payload") else {
        return;
    };
    for payload in payloads.items() {
        if let Err(reason) = one(&payload, folder, draft, scope) {
            payload.note(reason);
        }
    }
}

fn one(
    payload: &Node<'_>,
    folder: &Path,
    draft: &mut Draft,
    scope: &mut Scope,
) -> Result<(), String> {
    let path = payload.get("path").and_then(|path| path.text());
    let path = path.ok_or("names no file")?;
    let delimiter = payload
        .get("delimiter")
        .and_then(|delimiter| delimiter.text());
    let delimiter = delimiter
        .and_then(|text| text.bytes().next())
        .unwrap_or(b',');
    let skips_header = payload
        .get("skipHeader")
        .and_then(|skip| skip.truth())
        .unwrap_or(false);
    let order = payload.get("order").and_then(|order| order.text());
    let pick = if order == Some("sequence") {
        "sequential"
    } else {
        "random"
    };
    if let Some(cast) = payload.get("cast") {
        cast.leave("values are texts, which JSON bodies hold in quotes");
    }
    let mut records = read(&folder.join(path), delimiter)?;
    let fields = payload.get("fields");
    let columns: Vec<String> = match &fields {
        Some(fields) => fields.items().iter().filter_map(Node::scalar).collect(),
        None if !records.is_empty() => records.remove(0),
        None => Vec::new(),
    };
    if fields.is_some() && skips_header && !records.is_empty() {
        records.remove(0);
    }
    records.retain(|record| record.iter().any(|value| !value.is_empty()));
    if columns.is_empty() || records.is_empty() {
        return Err(format!("{path} has no rows"));
    }
    let name = Path::new(path)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("payload");
    let name = payload
        .get("name")
        .and_then(|name| name.text())
        .unwrap_or(name);
    table(name, &columns, records, pick, payload, draft, scope);
    Ok(())
}

/// Puts a table into the draft; its columns are known by their names from now on.
pub(super) fn table(
    name: &str,
    columns: &[String],
    mut rows: Vec<Vec<String>>,
    pick: &str,
    node: &Node<'_>,
    draft: &mut Draft,
    scope: &mut Scope,
) -> String {
    if rows.len() > ROWS_MAX {
        node.note(format!("rows beyond the first {ROWS_MAX} are left out"));
        rows.truncate(ROWS_MAX);
    }
    let data = draft.fields.entry("data").or_insert_with(|| json!({}));
    let taken = |name: &str| data.get(name).is_some();
    let name = identifier(name);
    let numbered = (2..).map(|number| format!("{name}{number}"));
    let mut candidates = std::iter::once(name.clone()).chain(numbered);
    let name = candidates.find(|name| !taken(name)).unwrap_or(name);
    let rows: Vec<Value> = rows
        .into_iter()
        .map(|record| {
            let mut values = record.into_iter();
            let cells = columns
                .iter()
                .map(|column| (identifier(column), json!(values.next().unwrap_or_default())));
            Value::Object(cells.collect::<Map<_, _>>())
        })
        .collect();
    if let Some(data) = data.as_object_mut() {
        data.insert(name.clone(), json!({ "rows": rows, "pick": pick }));
    }
    for column in columns {
        let place = format!("{{{{data.{name}.{}}}}}", identifier(column));
        scope.define(column, place);
    }
    name
}

fn read(path: &Path, delimiter: u8) -> Result<Vec<Vec<String>>, String> {
    let shown = path.file_name().unwrap_or_default().to_string_lossy();
    let failed = |error: &dyn std::fmt::Display| format!("{shown} cannot be read: {error}");
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    file.take(BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(|error| failed(&error))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(format!(
            "{shown} has more than the {BYTES_MAX} bytes that tables may have"
        ));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.as_slice());
    let records = reader.records().map(|record| {
        let record = record.map_err(|error| failed(&error))?;
        Ok(record.iter().map(str::to_owned).collect())
    });
    records.collect()
}
