//! Binding relocatable modules to each other: what one exports, later ones can import.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use object::elf;

use super::error::{LoadError, Problem};
use super::file::{File, Home, Sym};
use super::relocatable::Layout;
use super::relocate::{self, Value};
use super::{
    Export, Image, Import, Kind, MEMORY_MAX, Module, Program, Unprovided, ksymtab, modinfo, symbols,
};
use crate::address::{GuestVirtual, PAGE_SIZE};
use crate::layout::{MODULE_BASE, MODULE_END, UNPROVIDED_BASE, UNPROVIDED_END};
use crate::rights::Rights;

/// Where modules start is a multiple of this, so that addresses are easy to read.
const MODULE_ALIGN: u64 = 0x1_0000;

const NOT_LOADED: &str = "which is in a section that is not loaded; build it again";
const NOT_A_PLACE: &str = "whose address only a run-time resolver or a thread knows; use an \
                           ordinary function or variable";

/// A module between its layout and its image.
struct Linking<'m> {
    name: &'m str,
    file: File<'m>,
    layout: Layout,
    exports: Vec<Export>,
    imports: Vec<Import>,
    /// Of each symbol, its value; of an undefined one only once it is bound.
    values: Vec<Value>,
}

/// Links relocatable modules in this order.
pub(super) fn link(modules: &[Module<'_>]) -> Result<Program, LoadError> {
    let mut linked = Vec::with_capacity(modules.len());
    let mut base = MODULE_BASE;
    let mut room = MEMORY_MAX;
    for module in modules {
        let of_module = |problem: Problem| problem.of(module.name);
        let one = Linking::new(module, base, room).map_err(of_module)?;
        room -= one.layout.segments.iter().map(|segment| segment.size).sum::<u64>();
        // A page that is never mapped keeps neighbours apart.
        base = GuestVirtual((one.layout.end.0 + PAGE_SIZE).next_multiple_of(MODULE_ALIGN));
        linked.push(one);
    }
    let unprovided = bind(&mut linked)?;
    let images = linked
        .into_iter()
        .map(|one| {
            let name = one.name;
            one.finish().map_err(|problem| problem.of(name))
        })
        .collect::<Result<_, _>>()?;
    Ok(Program { images, unprovided })
}

impl<'m> Linking<'m> {
    fn new(module: &Module<'m>, base: GuestVirtual, room: u64) -> Result<Self, Problem> {
        let file = File::parse(module.bytes)?;
        if file.kind != elf::ET_REL {
            return Err(wrong_type(file.kind));
        }
        if base >= MODULE_END {
            return Err(Problem::NoRoom { end: base, limit: MODULE_END });
        }
        let layout = Layout::new(&file, base, room)?;
        let values: Vec<_> =
            (0..file.symbols.len()).map(|index| defined_value(&file, &layout, index)).collect();
        let exports = exports(&file, &layout, &values)?;
        Ok(Self { name: module.name, file, layout, exports, imports: Vec::new(), values })
    }

    fn finish(mut self) -> Result<Image, Problem> {
        relocate::fill_got(&self.file, &mut self.layout, &self.values)?;
        relocate::apply(&self.file, &mut self.layout, &self.values)?;
        let mut symbols: Vec<_> = self
            .file
            .symbols
            .iter()
            .zip(&self.values)
            .filter_map(|(symbol, value)| match value {
                Value::Known(address) => symbols::Symbol::at(symbol, *address),
                Value::Missing(_) => None,
            })
            .collect();
        symbols::sort(&mut symbols);
        let mut image = Image {
            name: self.name.to_string(),
            kind: Kind::Relocatable,
            sections: self.layout.sections(&self.file),
            segments: self.layout.segments,
            symbols,
            exports: self.exports,
            imports: self.imports,
            init: None,
            cleanup: None,
            entry: None,
            modinfo: modinfo::of_file(&self.file),
        };
        image.init = entry(&image, "init_module")?;
        image.cleanup = entry(&image, "cleanup_module")?;
        Ok(image)
    }
}

/// The reason that a file of this type is not a relocatable module.
pub(super) fn wrong_type(kind: elf::FileType) -> Problem {
    let (found, remedy) = match kind {
        elf::ET_EXEC | elf::ET_DYN => (
            "an executable among the modules to be linked".to_string(),
            "only the last module can be one, and then it stands alone",
        ),
        elf::ET_CORE => ("a core dump".to_string(), "pass the program that wrote it"),
        other => (
            alloc::format!("an ELF file of type {}", other.0),
            "pass a relocatable module or a static executable",
        ),
    };
    Problem::WrongType { found, remedy }
}

fn defined_value(file: &File<'_>, layout: &Layout, index: usize) -> Value {
    let symbol = &file.symbols[index];
    if matches!(symbol.kind, elf::STT_GNU_IFUNC | elf::STT_TLS) {
        return Value::Missing(NOT_A_PLACE);
    }
    match symbol.home {
        // Symbol 0 stands for "no symbol", with the value 0.
        Home::Undefined if index == 0 => Value::Known(0),
        Home::Undefined if symbol.name == relocate::GOT_SYMBOL => Value::Known(layout.got_start),
        Home::Undefined if symbol.name.is_empty() => {
            Value::Missing("which is undefined and has no name; build it again")
        }
        Home::Undefined => Value::Known(0),
        Home::Absolute => Value::Known(symbol.value),
        Home::Common => layout.common(index).map_or(Value::Missing(NOT_LOADED), Value::Known),
        Home::Section(section) => match layout.address(section) {
            Some(address) => Value::Known(address.wrapping_add(symbol.value)),
            None => Value::Missing(NOT_LOADED),
        },
    }
}

/// What the module offers: what its table of exports lists, or, for an object that is not a
/// Linux module, every global symbol.
fn exports(file: &File<'_>, layout: &Layout, values: &[Value]) -> Result<Vec<Export>, Problem> {
    let mut exports = Vec::new();
    if is_linux_module(file) {
        for entry in ksymtab::read(file)? {
            let address = layout.address(entry.section).ok_or_else(|| Problem::BadSymbol {
                symbol: entry.name.to_owned(),
                why: "exported, but in a section that is not loaded; build it again".to_owned(),
            })?;
            let address = GuestVirtual(address + entry.offset);
            exports.push(Export { name: entry.name.to_owned(), address, gpl: entry.gpl });
        }
    } else {
        for (symbol, value) in file.symbols.iter().zip(values) {
            let defined = symbol.home != Home::Undefined && !symbol.is_local();
            if let (true, Value::Known(value)) = (defined && !symbol.name.is_empty(), value) {
                let address = GuestVirtual(*value);
                exports.push(Export { name: symbol.name.to_owned(), address, gpl: false });
            }
        }
    }
    exports.sort_by(|a, b| a.name.cmp(&b.name));
    exports.dedup_by(|b, a| a.name == b.name);
    Ok(exports)
}

/// Whether exports are listed in a table; liblcd and plain objects have none.
pub(super) fn is_linux_module(file: &File<'_>) -> bool {
    file.section_by_name(modinfo::SECTION).is_some() || ksymtab::is_present(file)
}

/// Gives every undefined symbol its value, and those that nobody provides a trap each.
fn bind(linked: &mut [Linking<'_>]) -> Result<Vec<Unprovided>, LoadError> {
    let mut provided: BTreeMap<String, (GuestVirtual, String)> = BTreeMap::new();
    let mut missing: BTreeMap<String, String> = BTreeMap::new();
    let mut last = "";
    for one in linked.iter_mut() {
        last = one.name;
        one.imports = imports(&one.file, &provided);
        for import in one.imports.iter().filter(|import| import.needs_trap()) {
            missing.entry(import.name.clone()).or_insert_with(|| one.name.to_owned());
        }
        for export in &one.exports {
            provided
                .entry(export.name.clone())
                .or_insert_with(|| (export.address, one.name.to_owned()));
        }
    }
    let unprovided = traps(missing).map_err(|problem| problem.of(last))?;
    for Linking { file, imports, values, .. } in linked {
        for import in imports.iter_mut().filter(|import| import.needs_trap()) {
            if let Ok(at) = unprovided.binary_search_by(|trap| trap.name.cmp(&import.name)) {
                import.address = unprovided[at].address;
            }
        }
        for (index, symbol) in undefined(file) {
            if let Ok(at) = imports.binary_search_by(|import| (*import.name).cmp(symbol.name)) {
                values[index] = Value::Known(imports[at].address.0);
            }
        }
    }
    Ok(unprovided)
}

impl Import {
    fn needs_trap(&self) -> bool {
        self.from.is_none() && !self.weak
    }
}

/// The symbols that have to come from elsewhere, with their numbers.
pub(super) fn undefined<'f, 'd>(file: &'f File<'d>) -> impl Iterator<Item = (usize, &'f Sym<'d>)> {
    file.symbols.iter().enumerate().skip(1).filter(|(_, symbol)| {
        symbol.home == Home::Undefined
            && !symbol.name.is_empty()
            && symbol.name != relocate::GOT_SYMBOL
    })
}

/// A module's imports, sorted by name, bound to what earlier modules provide.
fn imports(file: &File<'_>, provided: &BTreeMap<String, (GuestVirtual, String)>) -> Vec<Import> {
    let names: BTreeMap<&str, bool> =
        undefined(file).map(|(_, symbol)| (symbol.name, symbol.is_weak())).collect();
    names
        .into_iter()
        .map(|(name, weak)| {
            let provider = provided.get(name);
            Import {
                name: name.to_owned(),
                address: provider.map_or(GuestVirtual(0), |(address, _)| *address),
                from: provider.map(|(_, by)| by.clone()),
                weak,
            }
        })
        .collect()
}

/// Traps for imports that nobody provides: a page each, in the order of their names.
fn traps(missing: BTreeMap<String, String>) -> Result<Vec<Unprovided>, Problem> {
    let count = missing.len() as u64;
    let limit = (UNPROVIDED_END.0 - UNPROVIDED_BASE.0) / PAGE_SIZE;
    if count > limit {
        return Err(Problem::TooManyUnprovided { count, limit });
    }
    Ok(missing
        .into_iter()
        .zip((UNPROVIDED_BASE.0..).step_by(PAGE_SIZE as usize))
        .map(|((name, by), address)| Unprovided { name, address: GuestVirtual(address), by })
        .collect())
}

/// The address of a function that the microkernel is to call, if the module has it.
fn entry(image: &Image, name: &str) -> Result<Option<GuestVirtual>, Problem> {
    let Some(address) = image.symbol(name) else {
        return Ok(None);
    };
    match image.segment_at(address) {
        Some(segment) if segment.rights.contains(Rights::EXECUTE) => Ok(Some(address)),
        _ => Err(Problem::BadSymbol {
            symbol: name.to_owned(),
            why: alloc::format!("at {address}, which is not in the module's code; build it again"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use object::SectionKind;
    use object::elf;

    use super::super::samples::{Part, Sample, executable, library, link_all, module, problem};
    use super::super::{Kind, Problem, SymbolKind};
    use crate::address::GuestVirtual;
    use crate::layout::{MODULE_BASE, UNPROVIDED_BASE};
    use crate::rights::Rights;

    #[test]
    fn a_module_is_bound_to_the_library_before_it() {
        let program = link_all(&[&library(), &module()]).unwrap();
        let [library, main] = &*program.images else { panic!("two images") };
        assert_eq!(library.segments[0].start, MODULE_BASE);
        assert_eq!(library.export("this_cpu_off"), Some(GuestVirtual(0x30)));
        assert_eq!(main.kind, Kind::Relocatable);
        let bound: Vec<_> =
            main.imports.iter().map(|import| (&*import.name, import.from.as_deref())).collect();
        let expected = [
            ("_printk", Some("a")),
            ("kmalloc", None),
            ("maybe", None),
            ("this_cpu_off", Some("a")),
        ];
        assert_eq!(bound, expected);
        assert_eq!(main.imports[2].address, GuestVirtual(0), "a weak import may be absent");
        assert_eq!(main.modinfo[0], ("license".into(), "GPL".into()));
    }

    #[test]
    fn sections_are_gathered_by_what_they_allow() {
        let program = link_all(&[&library(), &module()]).unwrap();
        let main = program.main().unwrap();
        let groups: Vec<_> =
            main.segments.iter().map(|segment| (&*segment.label, segment.rights)).collect();
        let expected = [
            (".text", Rights::READ_EXECUTE),
            (".rodata", Rights::READ),
            (".data", Rights::READ_WRITE),
            (".init.text", Rights::READ_EXECUTE),
        ];
        assert_eq!(groups, expected);
        let data = &main.segments[2];
        assert_eq!((data.size, data.bytes.len()), (0x4000, 0x20), "zeros are not stored");
        assert!(data.contains(main.symbol("shared").unwrap()));
        assert_eq!(main.init, Some(main.segments[3].start));
        assert_eq!(main.cleanup, main.segments[0].start.checked_add(0x40));
    }

    #[test]
    fn only_listed_symbols_of_a_linux_module_are_exported() {
        let program = link_all(&[&library(), &module()]).unwrap();
        let main = program.main().unwrap();
        let names: Vec<_> = main.exports.iter().map(|export| &*export.name).collect();
        assert_eq!(names, ["twice"]);
        assert_eq!(program.symbol("twice"), main.segments[0].start.checked_add(0x10));
        assert_eq!(program.symbol("buffer"), main.symbol("buffer"), "not exported, but there");
        assert_eq!(program.symbol("_printk"), program.images[0].export("_printk"));
        assert_eq!(program.symbol("nobody"), None);
    }

    #[test]
    fn imports_without_a_provider_are_traps_in_the_order_of_their_names() {
        let mut sample = Sample::new();
        sample.section(".text", SectionKind::Text, &[0x90; 16]);
        for name in ["zeta", "alpha", "kmalloc"] {
            sample.undefined(name);
        }
        let program = link_all(&[&library(), &module(), &sample.bytes()]).unwrap();
        let traps: Vec<_> = program
            .unprovided
            .iter()
            .map(|trap| (&*trap.name, trap.address.0 - UNPROVIDED_BASE.0, &*trap.by))
            .collect();
        assert_eq!(traps, [("alpha", 0, "c"), ("kmalloc", 0x1000, "b"), ("zeta", 0x2000, "c")]);
        let at = |offset| program.unprovided_at(GuestVirtual(UNPROVIDED_BASE.0 + offset));
        assert_eq!(at(0x1008).map(|trap| &*trap.name), Some("kmalloc"));
        assert_eq!(at(0x3000), None);
        assert_eq!(program.unprovided_at(GuestVirtual(UNPROVIDED_BASE.0 - 1)), None);
    }

    #[test]
    fn the_first_provider_in_link_order_wins() {
        let provider = |value| {
            let mut sample = Sample::new();
            sample.absolute("answer", value);
            sample.bytes()
        };
        let mut user = Sample::new();
        let data = user.section(".data", SectionKind::Data, &[0; 8]);
        let answer = user.undefined("answer");
        user.relocate(data, 0, elf::R_X86_64_64, answer, 0);
        let program = link_all(&[&provider(1), &provider(2), &user.bytes()]).unwrap();
        assert_eq!(program.main().unwrap().segments[0].bytes, 1_u64.to_le_bytes());
        let program = link_all(&[&user.bytes(), &provider(1)]).unwrap();
        assert_eq!(program.unprovided[0].name, "answer", "a later module provides nothing");
    }

    #[test]
    fn an_address_is_named_by_module_symbol_and_offset() {
        let program = link_all(&[&library(), &module()]).unwrap();
        let near = |address: GuestVirtual, by| program.symbolize(GuestVirtual(address.0 + by));
        let twice = program.symbol("twice").unwrap();
        assert_eq!(near(twice, 3), Some(("b", "twice", 3)));
        let rodata = program.main().unwrap().segments[1].start;
        assert_eq!(near(rodata, 1), Some(("b", ".rodata", 1)), "no symbol, so the segment");
        assert_eq!(near(MODULE_BASE, 0x14), Some(("a", "_printk", 4)));
        assert_eq!(program.symbolize(GuestVirtual(0x31)), None, "absolute symbols are no places");
        assert_eq!(program.images[0].symbols[0].kind, SymbolKind::Function);
    }

    #[test]
    fn an_executable_is_not_linked_with_others() {
        let code = Part::load(elf::PF_R | elf::PF_X, 0x40_0000, &[0xc3]);
        let file = executable(elf::ET_EXEC, 0x40_0000, &[code]);
        assert_eq!(link_all(&[b"ignored", &file]).unwrap().images.len(), 1);
        let error = link_all(&[&file, &module()]).unwrap_err();
        assert_eq!(error.module, "a");
        assert!(format!("{error}").contains("stands alone"), "{error}");
        assert!(matches!(link_all(&[]).unwrap_err().problem, Problem::NothingToLoad));
    }

    #[test]
    fn an_init_function_outside_the_code_is_refused() {
        let mut sample = Sample::new();
        let data = sample.section(".data", SectionKind::Data, &[0; 16]);
        sample.global("init_module", data, 0);
        let found = problem(&sample.bytes());
        assert!(matches!(found, Problem::BadSymbol { symbol, .. } if symbol == "init_module"));
    }
}
