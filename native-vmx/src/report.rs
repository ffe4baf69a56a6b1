//! What a host can do for native execution: the same words on every platform.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why [`crate::NativeArch::new`] refused. The text says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// This build is not for x86-64 Linux.
    #[error("native execution needs Linux on x86-64; this is {os} on {architecture}")]
    Platform {
        /// The operating system of this build.
        os: &'static str,
        /// The processor architecture of this build.
        architecture: &'static str,
    },
    /// `/dev/kvm` does not exist.
    #[error("there is no /dev/kvm: {advice}")]
    NoDevice {
        /// What to do about it here.
        advice: &'static str,
    },
    /// `/dev/kvm` exists but this user may not open it.
    #[error("no permission to open /dev/kvm: {advice}")]
    Permission {
        /// What to do about it here: that depends on whose it is.
        advice: String,
    },
    /// `/dev/kvm` cannot be opened for another reason.
    #[error("cannot open /dev/kvm: {0}")]
    Open(String),
    /// The kernel speaks another version of the interface.
    #[error("KVM's API version is {found}, not 12: the kernel is too old or not Linux's own")]
    ApiVersion {
        /// What the kernel answered.
        found: i32,
    },
    /// The kernel's KVM lacks something that is relied on.
    #[error("this kernel's KVM has no {name} ({purpose}); Linux 5.10 and later have it")]
    Capability {
        /// The capability's name in the kernel's documentation.
        name: &'static str,
        /// What it is needed for.
        purpose: &'static str,
    },
    /// Something that works on every known host failed on this one.
    #[error("KVM is there, but {what}: {why}")]
    Broken {
        /// What was attempted.
        what: &'static str,
        /// The host's answer.
        why: String,
    },
}

/// How a host runs a domain's instructions, which decides what its timings mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HostClass {
    /// Every privilege level runs on the processor: timings are hardware's.
    NativeRings,
    /// Level 3 runs on the processor, level 0 is interpreted by the kernel (KVM without
    /// hardware virtualization): results are hardware's, the cost of exits is not.
    EmulatedRings,
    /// Domains cannot run here.
    Absent,
}

impl fmt::Display for HostClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NativeRings => "native rings",
            Self::EmulatedRings => "emulated rings",
            Self::Absent => "absent",
        })
    }
}

/// One of KVM's capabilities and the kernel's answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Capability {
    /// The name in the kernel's documentation, without `KVM_CAP_`.
    pub name: String,
    /// 0 if absent, else what the documentation says for it.
    pub value: i32,
}

/// What a short run cost. All times are in nanoseconds, the best of a few attempts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Measured {
    /// Instructions of the level-3 loop.
    pub ring3_instructions: u64,
    /// What they took, an exit's round trip subtracted.
    pub ring3_nanoseconds: u64,
    /// Instructions of the level-0 loop.
    pub ring0_instructions: u64,
    /// What they took, an exit's round trip subtracted.
    pub ring0_nanoseconds: u64,
    /// One hypercall's exit and the entry after it, from level 3.
    pub exit_round_trip_nanoseconds: u64,
}

impl Measured {
    /// Nanoseconds per level-3 instruction.
    pub fn ring3_per_instruction(&self) -> f64 {
        self.ring3_nanoseconds as f64 / self.ring3_instructions as f64
    }

    /// Nanoseconds per level-0 instruction.
    pub fn ring0_per_instruction(&self) -> f64 {
        self.ring0_nanoseconds as f64 / self.ring0_instructions as f64
    }
}

/// What [`crate::probe`] found. Belongs beside every number that was measured here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HostReport {
    /// How instructions run here.
    pub class: HostClass,
    /// Why it is that class; for [`HostClass::Absent`], what is wrong and what to do.
    pub reason: String,
    /// KVM's API version, if it could be asked.
    pub kvm_api_version: Option<i32>,
    /// The capabilities that matter, if they could be asked.
    pub capabilities: Vec<Capability>,
    /// The processor's vendor, as it names itself.
    pub processor_vendor: String,
    /// The processor's model name.
    pub processor_model: String,
    /// The kernel's release.
    pub kernel: String,
    /// What a short run cost, if one was possible.
    pub measured: Option<Measured>,
}

impl fmt::Display for HostReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.class, self.reason)?;
        writeln!(
            f,
            "{} ({}), kernel {}",
            self.processor_model, self.processor_vendor, self.kernel
        )?;
        if let Some(m) = &self.measured {
            writeln!(
                f,
                "level 3: {} instructions in {:.1} us; level 0: {} in {:.1} us; exit round trip \
                 {:.1} us",
                m.ring3_instructions,
                m.ring3_nanoseconds as f64 / 1000.0,
                m.ring0_instructions,
                m.ring0_nanoseconds as f64 / 1000.0,
                m.exit_round_trip_nanoseconds as f64 / 1000.0,
            )?;
        }
        Ok(())
    }
}
