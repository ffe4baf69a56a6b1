//! `.modinfo`: what a Linux module says about itself, as `key=value` texts that each end
//! with a zero byte (Linux, include/linux/moduleparam.h).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::file::File;
use super::{LoadError, Module};

/// Its name as a section.
pub(super) const SECTION: &str = ".modinfo";

/// Reads a module's entries, in the file's order; none if it has no such section.
///
/// # Errors
/// When the module is not an x86-64 ELF file or is damaged.
pub fn read(module: &Module<'_>) -> Result<Vec<(String, String)>, LoadError> {
    let file = File::parse(module.bytes).map_err(|problem| problem.of(module.name))?;
    Ok(of_file(&file))
}

/// The names that the `depends` entries list.
pub fn depends(entries: &[(String, String)]) -> impl Iterator<Item = &str> {
    entries
        .iter()
        .filter(|(key, _)| key == "depends")
        .flat_map(|(_, names)| names.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

pub(super) fn of_file(file: &File<'_>) -> Vec<(String, String)> {
    file.section_by_name(SECTION).map_or_else(Vec::new, |(_, section)| parse(section.data))
}

fn parse(bytes: &[u8]) -> Vec<(String, String)> {
    bytes
        .split(|&b| b == 0)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let text = String::from_utf8_lossy(entry);
            match text.split_once('=') {
                Some((key, value)) => (key.to_string(), value.to_string()),
                None => (text.to_string(), String::new()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{depends, parse};

    #[test]
    fn entries_are_split_at_the_first_equals_sign() {
        let entries = parse(b"license=GPL\0\0parm=x:y=z\0bare\0depends=a,b\0depends=");
        let expected = [
            ("license", "GPL"),
            ("parm", "x:y=z"),
            ("bare", ""),
            ("depends", "a,b"),
            ("depends", ""),
        ];
        assert!(entries.iter().map(|(k, v)| (&**k, &**v)).eq(expected));
        assert!(depends(&entries).eq(["a", "b"]));
    }
}
