//! What this host is, and what domains can run on here.

use native_vmx::HostReport;
use serde::{Deserialize, Serialize};

use crate::backend::{Backend, available};

/// A host, as lcd sees it. Belongs beside everything that was measured on it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HostDescription {
    /// The version of this program.
    pub lcd: String,
    /// The operating system.
    pub operating_system: String,
    /// The processor's architecture.
    pub architecture: String,
    /// What can be done on hardware.
    pub native: HostReport,
    /// The simulator.
    pub simulator: SimulatorDescription,
}

/// Whether the simulator can be used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SimulatorDescription {
    /// Whether it can.
    pub available: bool,
    /// Why it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Bytes of its WebAssembly module.
    pub wasm_bytes: usize,
}

impl HostDescription {
    /// Describes the host that this runs on, by trying. Takes some tens of milliseconds, and a second
    /// or so where the simulator is compiled for the first time.
    pub fn of_this_host() -> Self {
        let reason = available(Backend::Sim).err().map(|error| error.to_string());
        Self {
            lcd: env!("CARGO_PKG_VERSION").into(),
            operating_system: std::env::consts::OS.into(),
            architecture: std::env::consts::ARCH.into(),
            native: native_vmx::probe(),
            simulator: SimulatorDescription {
                available: reason.is_none(),
                reason,
                wasm_bytes: wasm_host::SIMULATOR_WASM.len(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostDescription;

    #[test]
    fn a_description_comes_back_from_json() {
        let host = HostDescription::of_this_host();
        assert!(host.simulator.available, "{:?}", host.simulator.reason);
        let text = serde_json::to_string(&host).unwrap();
        assert_eq!(serde_json::from_str::<HostDescription>(&text).unwrap(), host);
    }
}
