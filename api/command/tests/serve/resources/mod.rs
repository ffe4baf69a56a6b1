//! Every resource from its beginning to its end.

mod all_worlds;
mod campaigns;
mod modules;
mod runs;
mod snapshots;
mod worlds;

use serde_json::Value;

use crate::client::Client;

/// All items of a list, page by page, `limit` at a time.
#[track_caller]
fn all(client: &Client, path: &str, limit: usize) -> Vec<Value> {
    let join = if path.contains('?') { '&' } else { '?' };
    let mut found = Vec::new();
    let mut next = String::new();
    loop {
        let page = client.get(&format!("{path}{join}limit={limit}{next}")).expect(200).json();
        let items = page["items"].as_array().expect("items");
        found.extend(items.iter().cloned());
        match page["next"].as_str() {
            Some(before) => {
                assert_eq!(items.len(), limit, "only the last page is shorter");
                next = format!("&before={before}");
            }
            None => return found,
        }
    }
}

/// A field of each.
fn each<'a>(items: &'a [Value], field: &str) -> Vec<&'a str> {
    items.iter().map(|item| item[field].as_str().expect("it is text")).collect()
}
