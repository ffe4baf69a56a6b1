//! A module on a server: it and what it needs go there, and what the server sees in it comes back.

use std::collections::BTreeMap;
use std::path::Path;

use lcd::assemble::LIBLCD;
use lcd::inspect::ModuleReport;
use lcd::model::bundle::Bundle;
use lcd::model::loader::{Module, modinfo};

use super::Remote;
use super::answers::{ModuleAnswer, ModuleDetails};
use super::client::Ask;

impl Remote<'_> {
    /// Sends the module of a bundle with one domain, which somebody called `given`, and the modules
    /// that it needs, and returns what the server sees in it.
    pub(crate) fn inspect(&self, bundle: &Bundle, given: &str) -> anyhow::Result<ModuleReport> {
        let key = bundle.world.domains.first().map_or("", |domain| domain.module.as_str());
        let parts = bundle.module(key).unwrap_or_default();
        let Some((main, needed)) = parts.split_last() else {
            return Ok(ModuleReport::of(bundle)?);
        };
        // By which names those that need them ask for them.
        let asked = asked_names(&parts);
        // What the server calls a file, and what it is called here.
        let mut names = BTreeMap::new();
        for part in needed.iter().filter(|part| part.name != LIBLCD) {
            let default = format!("{}.ko", part.name);
            let name = asked.get(part.name).unwrap_or(&default);
            let stored = self.upload_module(name, part.bytes)?;
            if stored.name != *name {
                self.output.note(&format!(
                    "the server has {name} as {}, and may not find it as what {} needs",
                    stored.name, main.name
                ));
            }
            names.insert(stored.name, part.name);
        }
        let stored = self.upload_module(&file_name(given, main.name), main.bytes)?;
        let path = format!("/api/v1/modules/{}", stored.id);
        let ModuleDetails { mut report } = self.client()?.json(&Ask::get(&path))?;
        names.insert(stored.name, main.name);
        report.module = key.into();
        for by in report.bindings.values_mut().flatten() {
            if let Some(name) = names.get(by) {
                *by = (*name).into();
            }
        }
        Ok(report)
    }

    fn upload_module(&self, name: &str, bytes: &[u8]) -> anyhow::Result<ModuleAnswer> {
        let path = format!("/api/v1/modules?name={}", name.replace('+', "%2B"));
        let client = self.client()?;
        let stored: ModuleAnswer =
            client.json(&Ask::put(&path, "application/octet-stream", bytes))?;
        if stored.id.len() != 64 || !stored.id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(client.strange("a module's id that is none".into()).into());
        }
        Ok(stored)
    }
}

/// For each module that others need, the file's name by which they ask for it: they may write a `-`
/// where its own name has a `_`.
fn asked_names(parts: &[Module<'_>]) -> BTreeMap<String, String> {
    let entries = parts.iter().flat_map(|part| modinfo::read(part));
    let names = entries.flat_map(|entries| {
        let needed = modinfo::depends(&entries);
        needed
            .map(|name| (name.replace('-', "_"), format!("{}.ko", plain_name(name))))
            .collect::<Vec<_>>()
    });
    names.collect()
}

/// The name that a module is sent by: its file's, or if it was looked up by name, that.
fn file_name(given: &str, name: &str) -> String {
    let file = Path::new(given).file_name().and_then(|file| file.to_str());
    match file.filter(|file| file.contains('.')) {
        Some(file) => plain_name(file),
        None => format!("{}.ko", plain_name(name)),
    }
}

/// A name as servers take them.
fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._+-".contains(c) { c } else { '_' };
    let name: String = name.chars().take(120).map(plain).collect();
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_module_is_sent_by_a_name_that_servers_take() {
        assert_eq!(file_name("/lib/modules/crc16.ko.xz", "crc16"), "crc16.ko.xz");
        assert_eq!(file_name("crc16", "crc16"), "crc16.ko");
        assert_eq!(file_name("my module.ko", "my module"), "my_module.ko");
        assert_eq!(file_name("./.hidden.ko", ".hidden"), "_hidden.ko");
    }
}
