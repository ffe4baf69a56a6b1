//! Addresses, one type for each space, so that one cannot be used for another.
//!
//! A domain's instruction names a [`GuestVirtual`] address; the domain's own
//! page tables turn it into a [`GuestPhysical`] one; the microkernel's map for
//! the domain turns that into a [`Frame`] of host memory. Only the last step is
//! authority.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Bytes in a page and in a frame.
pub const PAGE_SIZE: u64 = 4096;

/// The first address above the lower half of the 48-bit canonical space.
pub const LOWER_HALF_END: u64 = 1 << 47;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident, $short:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The start of the page that holds this address.
            pub const fn page(self) -> Self {
                Self(self.0 & !(PAGE_SIZE - 1))
            }

            /// The distance in bytes from the start of its page.
            pub const fn page_offset(self) -> usize {
                (self.0 & (PAGE_SIZE - 1)) as usize
            }

            /// Whether this is the first byte of a page.
            pub const fn is_page_aligned(self) -> bool {
                self.page_offset() == 0
            }

            /// The address `bytes` further on, or nothing past the end of the
            /// 64-bit space.
            pub fn checked_add(self, bytes: u64) -> Option<Self> {
                self.0.checked_add(bytes).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($short, ":{:#x}"), self.0)
            }
        }
    };
}

address!(
    /// An address as a domain's instructions use it.
    GuestVirtual,
    "gva"
);
address!(
    /// An address in a domain's physical space: what its page tables lead to and
    /// what the microkernel maps.
    GuestPhysical,
    "gpa"
);

impl GuestVirtual {
    /// Whether bits 63 to 47 are all equal, as 4-level paging demands
    /// (Intel SDM vol. 1, 3.3.7.1).
    pub const fn is_canonical(self) -> bool {
        let top = (self.0 as i64) >> 47;
        top == 0 || top == -1
    }
}

/// The number of a 4 KiB frame of the backend's memory. Frame numbers are chosen
/// by the model, lowest free first, so they are the same on every backend.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Frame(pub u32);

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::GuestVirtual;

    #[test]
    fn canonical_means_the_top_17_bits_agree() {
        for good in [0, 0x7fff_ffff_ffff, 0xffff_8000_0000_0000, u64::MAX, 0x7 << 44, 0xffff8 << 44]
        {
            assert!(GuestVirtual(good).is_canonical(), "{good:#x}");
        }
        for bad in [1 << 63, 0xffff << 48, 0x8000_0000_0000, 0xffff_7fff_ffff_ffff] {
            assert!(!GuestVirtual(bad).is_canonical(), "{bad:#x}");
        }
    }
}
