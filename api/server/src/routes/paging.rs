//! Lists come in pages, newest first. A page names where the next one begins.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::{Kind, Problem};

/// Items of a page if nothing is said.
const DEFAULT: u32 = 50;
/// Items that a page may have.
const MAX: u32 = 500;

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// How many items, at most 500 [default: 50].
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Where to go on: the `next` of the page before.
    pub before: Option<String>,
}

/// A part of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The `before` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Reads a `limit`.
///
/// # Errors
/// [`Kind::BAD_REQUEST`] if it is out of range.
pub(super) fn limit(given: Option<u32>) -> Result<u32, Problem> {
    match given {
        None => Ok(DEFAULT),
        Some(limit @ 1..=MAX) => Ok(limit),
        Some(other) => {
            Err(Problem::new(Kind::BAD_REQUEST, format!("limit is {other}; it can be 1 to {MAX}")))
        }
    }
}

/// Which part of a list is asked for.
///
/// # Errors
/// [`Kind::BAD_REQUEST`].
pub(super) fn read(query: &PageQuery) -> Result<lcd_results::Page, Problem> {
    let limit = limit(query.limit)? as usize;
    let Some(text) = &query.before else { return Ok(lcd_results::Page::first(limit)) };
    match text.parse() {
        Ok(before) => Ok(lcd_results::Page::after(before, limit)),
        Err(_) => Err(Problem::new(
            Kind::BAD_REQUEST,
            format!("before is `{text}`; it is the `next` of the page before"),
        )),
    }
}

impl<T> Page<T> {
    /// A page of what the store has.
    pub(super) fn of<S>(
        found: Vec<S>,
        page: lcd_results::Page,
        number: impl Fn(&S) -> u64,
        show: impl Fn(S) -> T,
    ) -> Self {
        let full = found.len() == page.limit;
        let next = found.last().filter(|_| full).map(|last| number(last).to_string());
        Self { items: found.into_iter().map(show).collect(), next }
    }
}
