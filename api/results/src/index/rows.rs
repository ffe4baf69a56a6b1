//! Between Rust's types and SQLite's.

use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};
use serde_json::Value;

/// SQLite's integers are signed. Nothing here is ever so large that it does not fit; if it were,
/// it would be as large as it can be.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// An integer of a row that is not negative.
pub(crate) fn uint(row: &Row<'_>, column: usize) -> Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(column, value))
}

/// Such an integer, or none.
pub(crate) fn optional_uint(row: &Row<'_>, column: usize) -> Result<Option<u64>> {
    match row.get::<_, Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => uint(row, column).map(Some),
    }
}

/// A value that is stored as its text.
pub(crate) fn value(row: &Row<'_>, column: usize) -> Result<Value> {
    parse(row.get_ref(column)?.as_str()?, column)
}

/// Such a value, or none.
pub(crate) fn optional_value(row: &Row<'_>, column: usize) -> Result<Option<Value>> {
    row.get_ref(column)?.as_str_or_null()?.map(|text| parse(text, column)).transpose()
}

fn parse(text: &str, column: usize) -> Result<Value> {
    serde_json::from_str(text)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

/// A word that stands for one of a few things.
pub(crate) fn word<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or_else(|| {
        let what = format!("{text:?} is none of the words it can be");
        Error::FromSqlConversionFailure(column, Type::Text, what.into())
    })
}
