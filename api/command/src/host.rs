//! `lcd host`.

use serde::Serialize;

use lcd::Backend;
use native_vmx::HostReport;

use super::Code;
use super::output::Output;

#[derive(Serialize)]
struct Results {
    lcd: &'static str,
    operating_system: &'static str,
    architecture: &'static str,
    native: HostReport,
    simulator: Simulator,
}

#[derive(Serialize)]
struct Simulator {
    available: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    wasm_bytes: usize,
}

pub(super) fn main(output: &Output) -> anyhow::Result<Code> {
    let reason = lcd::available(Backend::Sim).err().map(|error| error.to_string());
    let results = Results {
        lcd: env!("CARGO_PKG_VERSION"),
        operating_system: std::env::consts::OS,
        architecture: std::env::consts::ARCH,
        native: native_vmx::probe(),
        simulator: Simulator {
            available: reason.is_none(),
            reason,
            wasm_bytes: wasm_host::SIMULATOR_WASM.len(),
        },
    };
    if output.is_json() {
        output.json(&results)?;
        return Ok(Code::Success);
    }
    let Results { lcd, operating_system, architecture, native, simulator } = &results;
    output.print(&format!("lcd {lcd} on {operating_system} {architecture}"))?;
    output.print(&format!("native: {}", native.to_string().trim_end()))?;
    for capability in &native.capabilities {
        output.print(&format!("  KVM_CAP_{:<28} {}", capability.name, capability.value))?;
    }
    let state = simulator.reason.as_deref().unwrap_or("available");
    output.print(&format!("simulator: {state} ({} bytes of WebAssembly)", simulator.wasm_bytes))?;
    Ok(Code::Success)
}
