//! `lcd worker`: what `lcd serve` starts, a process for each job. Not for people.

use super::Code;

pub(super) fn main() -> anyhow::Result<Code> {
    lcd_server::worker::job::main()?;
    Ok(Code::Success)
}
