//! `lcd host`.

use lcd::host::HostDescription;

use super::Code;
use super::output::Output;
use super::place::Place;

pub(super) fn main(place: &Place<'_>, output: &Output) -> anyhow::Result<Code> {
    let host = place.host()?;
    if output.is_json() {
        output.json(&host)?;
        return Ok(Code::Success);
    }
    let HostDescription { lcd, operating_system, architecture, native, simulator } = &host;
    output.print(&format!("lcd {lcd} on {operating_system} {architecture}"))?;
    output.print(&format!("native: {}", native.to_string().trim_end()))?;
    for capability in &native.capabilities {
        output.print(&format!("  KVM_CAP_{:<28} {}", capability.name, capability.value))?;
    }
    let state = simulator.reason.as_deref().unwrap_or("available");
    output.print(&format!("simulator: {state} ({} bytes of WebAssembly)", simulator.wasm_bytes))?;
    Ok(Code::Success)
}
