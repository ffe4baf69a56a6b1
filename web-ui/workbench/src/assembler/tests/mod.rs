//! Texts and what they become.

use shared_model::loader::{Module, link};

use super::{Assembled, assemble};

mod documented;
mod errors;
mod gnu;
mod lessons;
mod modules;

/// Assembles a text that has nothing wrong in it.
fn good(text: &str) -> Assembled {
    let assembled = assemble("test.s", text);
    assert_eq!(assembled.complaints, [], "{text}");
    assembled
}

/// The bytes of its sections in memory, linked alone, and the module's name for the loader.
fn linked(text: &str) -> shared_model::loader::Program {
    let object = good(text).object;
    link(&[Module { name: "test", bytes: &object }]).expect("the loader takes it")
}

/// The bytes that a line of code becomes, or the first complaint.
fn code(line: &str) -> Result<Vec<u8>, String> {
    let assembled = assemble("test.s", line);
    if let Some(complaint) = assembled.complaints.first() {
        return Err(format!("{}: {}", complaint.column, complaint.message));
    }
    let length = assembled.lines.iter().map(|line| line.length).sum::<u64>() as usize;
    let program = link(&[Module { name: "test", bytes: &assembled.object }]).expect("it links");
    Ok(program.images[0].segments[0].bytes[..length].to_vec())
}

#[test]
fn a_text_with_init_module_is_a_module() {
    let program = linked(
        "        .extern _printk\n\
         init_module:\n\
                 sub rsp, 8\n\
                 mov rdi, offset hello\n\
                 xor eax, eax\n\
                 call _printk\n\
                 xor eax, eax\n\
                 add rsp, 8\n\
                 ret\n\
         section .rodata\n\
         hello:  .asciz \"Hello\\n\"\n",
    );
    let image = program.main().unwrap();
    assert!(image.init.is_some() && image.cleanup.is_none());
    assert!(image.modinfo.contains(&("name".into(), "test.s".into())));
    assert_eq!(program.unprovided.len(), 1);
}
