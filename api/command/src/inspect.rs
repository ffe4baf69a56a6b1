//! `lcd inspect`.

use lcd::assemble::{self, Modules};
use lcd::inspect::ModuleReport;

use super::Code;
use super::output::{Output, Tone, table};
use super::place::Place;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A module's file, or its name in the module path.
    module: String,
}

pub(super) fn main(
    arguments: &Arguments,
    modules: &Modules,
    place: &Place<'_>,
    output: &Output,
) -> anyhow::Result<Code> {
    let bundle = assemble::module(&arguments.module, modules)?;
    let report = place.inspect(&bundle, &arguments.module)?;
    if output.is_json() {
        output.json(&report)?;
    } else {
        human(&report, output)?;
    }
    Ok(Code::Success)
}

fn human(report: &ModuleReport, output: &Output) -> anyhow::Result<()> {
    let ModuleReport { module, inspection, bindings, link_error } = report;
    let heading = |text: &str| output.paint(Tone::Bold, text);
    let heading_of = |text: &str, count: usize| match count {
        0 => format!("{}: none", heading(text)),
        _ => heading(text),
    };
    output.print(&format!(
        "{}: {}, {} bytes",
        heading(module),
        inspection.kind,
        inspection.size
    ))?;
    for (key, value) in &inspection.modinfo {
        output.print(&format!("  {key}={value}"))?;
    }
    let rows = inspection.sections.iter().map(|section| {
        vec![section.name.clone(), format!("{:#x}", section.size), section.flags.clone()]
    });
    output.print(&format!("\n{}", heading("sections")))?;
    output.print(&table(&["name", "size", "flags"], rows.collect()))?;
    if !inspection.segments.is_empty() {
        output.print(&format!("\n{}", heading("segments")))?;
        let rows = inspection.segments.iter().map(|segment| {
            vec![
                segment.kind.clone(),
                format!("{:#x}", segment.address),
                format!("{:#x}", segment.file_size),
                format!("{:#x}", segment.memory_size),
                segment.flags.clone(),
            ]
        });
        output.print(&table(
            &["kind", "address", "in file", "in memory", "rights"],
            rows.collect(),
        ))?;
    }
    output.print(&format!("\n{}", heading_of("relocations", inspection.relocations.len())))?;
    for (kind, count) in &inspection.relocations {
        output.print(&format!("  {kind:<24} {count}"))?;
    }
    output.print(&format!("\n{}", heading_of("exports", inspection.exports.len())))?;
    for export in &inspection.exports {
        output.print(&format!("  {}", export.name))?;
    }
    output.print(&format!("\n{}", heading_of("imports", inspection.imports.len())))?;
    for import in &inspection.imports {
        let by = match bindings.get(&import.name) {
            Some(Some(by)) => output.paint(Tone::Good, by),
            _ => output.paint(Tone::Warn, "nobody: a trap, if it is ever used"),
        };
        output.print(&format!("  {:<32} {by}", import.name))?;
    }
    output.print(&format!("\n{}", heading_of("entry points", inspection.entries.len())))?;
    for entry in &inspection.entries {
        let place = match &entry.section {
            Some(section) => format!("{section}+{:#x}", entry.value),
            None => format!("{:#x}", entry.value),
        };
        output.print(&format!("  {:<8} {place}", entry.role))?;
    }
    if let Some(error) = link_error {
        output.print(&format!("\n{}", output.paint(Tone::Bad, error)))?;
    }
    Ok(())
}
