//! The manual says what the tables say.

use super::super::{directives, registers, table};
use super::{code, good};

const MANUAL: &str = include_str!("../../../../../docs/assembler.md");

/// The lines of the section with this heading.
fn section(heading: &str) -> Vec<&'static str> {
    let mut lines =
        MANUAL.lines().skip_while(|line| line.trim_start_matches('#').trim() != heading);
    assert!(lines.next().is_some_and(|line| line.starts_with('#')), "no section {heading}");
    lines.take_while(|line| !line.starts_with('#')).collect()
}

/// The rows of its table.
fn rows(heading: &str) -> Vec<&'static str> {
    let lines = section(heading).into_iter();
    lines.filter(|line| line.starts_with('|')).skip(2).collect()
}

#[test]
fn the_manual_lists_every_instruction() {
    let mut expected: Vec<(String, &str)> = Vec::new();
    for row in table::rows() {
        let names: Vec<_> = row.names.iter().map(|name| format!("`{name}`")).collect();
        let names = names.join(" ");
        match expected.iter_mut().find(|(_, about)| *about == row.about) {
            Some((listed, _)) => *listed = format!("{listed} {names}"),
            None => expected.push((names, row.about)),
        }
    }
    let expected: Vec<_> =
        expected.into_iter().map(|(names, about)| format!("| {names} | {about} |")).collect();
    assert!(rows("Instructions") == expected, "the table should be:\n{}", expected.join("\n"));
}

#[test]
fn the_manual_lists_every_directive() {
    let cells = rows("Directives").into_iter().filter_map(|row| row.split('|').nth(1));
    let listed = cells.collect::<Vec<_>>().join("\n");
    for name in directives::all() {
        assert!(listed.contains(&format!("`{name}")), "{name}");
    }
    let names = listed.split('`').skip(1).step_by(2).filter_map(|text| text.split(' ').next());
    for name in names {
        assert!(directives::is_directive(name), "{name} is no directive");
    }
}

#[test]
fn the_manuals_programs_are_right() {
    let mut programs = 0;
    for block in MANUAL.split("```").skip(1).step_by(2) {
        if let Some(text) = block.strip_prefix("asm\n") {
            good(text);
            programs += 1;
        }
    }
    assert!(programs >= 3);
}

#[test]
fn the_manuals_operands_are_right() {
    for row in rows("Operands") {
        let operand = row.split('`').nth(1).expect("an operand");
        let register = registers::find(operand).is_some();
        let lines = [
            format!("mov rax, {operand}"),
            format!("mov eax, {operand}"),
            format!("cmp al, {operand}"),
        ];
        assert!(
            register || lines.iter().any(|line| code(&format!("{line}\nlabel: SIZE = 8")).is_ok()),
            "{operand}: {:?}",
            code(&lines[0])
        );
    }
}
