//! What is in a module, and what it would be linked with here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared_model::bundle::Bundle;
use shared_model::loader::inspect::Inspection;
use shared_model::loader::{self, LoadError, Module};

/// A module, and what it would be linked with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ModuleReport {
    /// Its name.
    pub module: String,
    /// What is in it.
    #[serde(flatten)]
    pub inspection: Inspection,
    /// For each import, the module that provides it; nothing if none does. Empty if the module
    /// cannot be linked.
    pub bindings: BTreeMap<String, Option<String>>,
    /// Why it cannot be linked, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_error: Option<String>,
}

impl ModuleReport {
    /// The module of a bundle's first domain, as [`crate::assemble::module`] puts it together. Of a
    /// bundle without one, the report is of an empty file, which is refused.
    ///
    /// # Errors
    /// [`LoadError`] if it is no x86-64 ELF file or is damaged. One that is neither and cannot be
    /// linked has a report, which says why.
    pub fn of(bundle: &Bundle) -> Result<Self, LoadError> {
        let name = bundle.world.domains.first().map_or("", |domain| domain.module.as_str());
        Self::of_parts(name, &bundle.module(name).unwrap_or_default())
    }

    /// A module from the files that are linked for it: those that it needs, and at last itself.
    ///
    /// # Errors
    /// As [`ModuleReport::of`].
    pub fn of_parts(name: &str, parts: &[Module<'_>]) -> Result<Self, LoadError> {
        let nothing = Module { name, bytes: &[] };
        let inspection = loader::inspect::inspect(parts.last().unwrap_or(&nothing))?;
        let linked = loader::link(parts);
        let bindings = linked.as_ref().ok().and_then(|program| program.main()).map(|image| {
            let imports = image.imports.iter();
            imports.map(|import| (import.name.clone(), import.from.clone())).collect()
        });
        let link_error = linked.as_ref().err().map(ToString::to_string);
        Ok(Self {
            module: name.into(),
            inspection,
            bindings: bindings.unwrap_or_default(),
            link_error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ModuleReport;
    use bundled_worlds::WORLDS;
    use shared_model::bundle::Bundle;
    use shared_model::loader::Module;
    use shared_model::world::World;

    fn bundled(name: &str) -> Bundle {
        let world = WORLDS.iter().find(|world| world.name == name).expect("it is bundled");
        crate::assemble::bundled(world).expect("it can be put together")
    }

    #[test]
    fn a_report_names_who_provides_what_and_comes_back_from_json() {
        let report = ModuleReport::of(&bundled("printk")).unwrap();
        assert_eq!(report.module, "printk.ko");
        assert_eq!(report.link_error, None);
        assert_eq!(report.bindings.len(), report.inspection.imports.len());
        assert!(report.bindings.values().any(|by| by.as_deref() == Some("liblcd")));
        let text = serde_json::to_string(&report).unwrap();
        assert!(
            text.starts_with(r#"{"module":"printk.ko","kind":"relocatable","size":"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<ModuleReport>(&text).unwrap(), report);
    }

    #[test]
    fn what_cannot_be_linked_or_read_says_so() {
        let mut bundle = bundled("printk");
        let file = bundle.files.iter().find(|file| file.name == "printk.ko").unwrap();
        let needed = Module { name: "needed.ko", bytes: b"no module" };
        let main = Module { name: "printk.ko", bytes: &file.bytes };
        let report = ModuleReport::of_parts("printk.ko", &[needed, main]).unwrap();
        assert!(report.link_error.unwrap().contains("needed.ko"));
        assert!(report.bindings.is_empty() && !report.inspection.imports.is_empty());
        for file in &mut bundle.files {
            file.bytes.truncate(10);
        }
        let error = ModuleReport::of(&bundle).unwrap_err().to_string();
        assert!(error.contains("printk.ko"), "{error}");
        let empty = World { domains: Vec::new(), ..bundle.world };
        assert!(ModuleReport::of(&Bundle::new(empty)).is_err());
    }
}
