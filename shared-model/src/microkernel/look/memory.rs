//! The bytes of a domain, and the way from an address to them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Landing, letters};
use crate::address::{Frame, GuestPhysical, GuestVirtual, PAGE_SIZE};
use crate::arch::Arch;
use crate::domain::DomainId;
use crate::hex::{self, Hex};
use crate::layout::PHYSICAL_SIZE;
use crate::microkernel::Microkernel;
use crate::paging::{ADDRESS, LARGE, NO_EXECUTE, PRESENT, USER, WRITABLE};
use crate::rights::Rights;

/// Bytes that are shown at a time.
const SHOWN_MAX: u64 = 1 << 20;

/// Which addresses of a domain are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Space {
    /// Those of its instructions.
    Virtual,
    /// Those that its page tables lead to.
    Physical,
}

/// A page's worth of memory, or less.
#[derive(Debug, Default, Serialize)]
pub struct MemoryPiece {
    /// Where it is.
    pub address: Hex,
    /// How many bytes.
    pub length: u64,
    /// Where it is in guest-physical space, if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical: Option<Hex>,
    /// What the frame there is, if there is one.
    #[serde(flatten)]
    pub frame: FrameView,
    /// What the domain's own page tables allow, for a guest-virtual address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_rights: Option<String>,
    /// The bytes, in hexadecimal, where they can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// Why they cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a guest-physical page leads to; nothing if nothing is mapped there.
#[derive(Debug, Default, Serialize)]
pub struct FrameView {
    /// The frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<Frame>,
    /// The domain that owns it; none for one of the world's or the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<DomainId>,
    /// What the mapping allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rights: Option<String>,
    /// The slot of the capability that it is mapped under, if it is in a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u64>,
}

impl From<Landing> for FrameView {
    fn from(landing: Landing) -> Self {
        let Landing { frame, rights, owner, slot } = landing;
        Self { frame: Some(frame), owner, rights: Some(letters(rights)), slot }
    }
}

/// The way from a guest-virtual address to a frame.
#[derive(Debug, Default, Serialize)]
pub struct Walk {
    /// The entries on the way, from the root on.
    pub levels: Vec<WalkLevel>,
    /// The guest-physical address that they lead to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical: Option<Hex>,
    /// And what is there.
    #[serde(flatten)]
    pub frame: FrameView,
    /// What the entries together allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_rights: Option<String>,
    /// Where the way ends without a frame, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// An entry of a page table.
#[derive(Debug, Serialize)]
pub struct WalkLevel {
    /// 4 (the root) to 1.
    pub level: u32,
    /// The table's guest-physical address.
    pub table: Hex,
    /// Which of its entries.
    pub index: u64,
    /// The entry.
    pub entry: Hex,
    /// It is valid.
    pub present: bool,
    /// It allows writing.
    pub writable: bool,
    /// It allows access from level 3.
    pub user: bool,
    /// It forbids execution.
    pub no_execute: bool,
    /// It leads to a large page instead of a table.
    pub large: bool,
}

impl<A: Arch> Microkernel<A> {
    /// Bytes of a domain, page by page.
    ///
    /// # Errors
    /// A message if there is no such domain, or it has no memory, or it is too much at once.
    pub fn memory(
        &self,
        domain: DomainId,
        space: Space,
        address: u64,
        length: u64,
    ) -> Result<Vec<MemoryPiece>, String> {
        self.expect_memory(domain)?;
        if length > SHOWN_MAX {
            return Err(format!("{length} bytes are more than the {SHOWN_MAX} shown at a time"));
        }
        let mut pieces = Vec::new();
        let (mut at, mut left) = (address, length);
        while left > 0 {
            let size = left.min(PAGE_SIZE - at % PAGE_SIZE);
            let mut piece = match space {
                Space::Virtual => self.virtual_piece(domain, at),
                Space::Physical => self.physical_piece(domain, GuestPhysical(at)),
            };
            (piece.address, piece.length) = (Hex(at), size);
            if let Some(frame) = piece.frame.frame {
                let mut bytes = alloc::vec![0; size as usize];
                self.arch.frame_read(frame, (at % PAGE_SIZE) as usize, &mut bytes);
                piece.bytes = Some(hex::encode(&bytes));
            }
            pieces.push(piece);
            let Some(next) = at.checked_add(size) else { break };
            (at, left) = (next, left - size);
        }
        Ok(pieces)
    }

    /// The way from a guest-virtual address of a domain to a frame.
    ///
    /// # Errors
    /// A message if there is no such domain, or it has no memory.
    pub fn walk_from(&self, domain: DomainId, address: GuestVirtual) -> Result<Walk, String> {
        self.expect_memory(domain)?;
        let mut walk = Walk::default();
        match self.tables(domain, address, &mut walk.levels) {
            Ok((physical, rights)) => {
                walk.physical = Some(Hex(physical.0));
                walk.table_rights = Some(letters(rights));
                match self.landing(domain, physical) {
                    Some(landing) => walk.frame = landing.into(),
                    None => walk.why = Some(nothing_at(physical)),
                }
            }
            Err(why) => walk.why = Some(why),
        }
        Ok(walk)
    }

    /// Where the byte at a guest-virtual address of a domain is now: which of a frame.
    pub fn locate(&self, domain: DomainId, address: GuestVirtual) -> Option<(Frame, usize)> {
        let (physical, _) = self.tables(domain, address, &mut Vec::new()).ok()?;
        let mapping = self.domains.get(&domain)?.space.lookup(physical).ok()?;
        Some((mapping.frame, physical.page_offset()))
    }

    fn expect_memory(&self, domain: DomainId) -> Result<(), String> {
        self.domain(domain)?;
        if self.is_host_domain(domain) {
            return Err(format!("domain {} is the host's: it has no memory of its own", domain.0));
        }
        Ok(())
    }

    fn virtual_piece(&self, domain: DomainId, address: u64) -> MemoryPiece {
        match self.tables(domain, GuestVirtual(address), &mut Vec::new()) {
            Ok((physical, rights)) => MemoryPiece {
                physical: Some(Hex(physical.0)),
                table_rights: Some(letters(rights)),
                ..self.physical_piece(domain, physical)
            },
            Err(why) => MemoryPiece { why: Some(why), ..MemoryPiece::default() },
        }
    }

    fn physical_piece(&self, domain: DomainId, address: GuestPhysical) -> MemoryPiece {
        match self.landing(domain, address) {
            Some(landing) => MemoryPiece { frame: landing.into(), ..MemoryPiece::default() },
            None => MemoryPiece { why: Some(nothing_at(address)), ..MemoryPiece::default() },
        }
    }

    /// Walks a domain's page tables, whatever they hold, and notes the entries on the way. Gives
    /// where they lead and what they allow, or says where they end.
    fn tables(
        &self,
        domain: DomainId,
        address: GuestVirtual,
        levels: &mut Vec<WalkLevel>,
    ) -> Result<(GuestPhysical, Rights), String> {
        let home = self.domains.get(&domain).and_then(|domain| domain.home);
        let Some(home) = home else {
            return Err(format!("nothing is loaded in domain {} yet", domain.0));
        };
        if !address.is_canonical() {
            return Err(format!("{address} is not canonical: no table has an entry for it"));
        }
        let mut table = home.page_table_root.0 & ADDRESS;
        let mut rights = Rights::READ_WRITE | Rights::EXECUTE;
        for level in (1..=4_u32).rev() {
            let shift = 12 + 9 * (level - 1);
            let index = address.0 >> shift & 511;
            let place = GuestPhysical(table + index * 8);
            let entry = self.word(domain, place).ok_or_else(|| {
                format!("the table of level {level}: {}", nothing_at(GuestPhysical(table)))
            })?;
            let large = entry & LARGE != 0 && matches!(level, 2 | 3);
            let has = |bit| entry & bit != 0;
            levels.push(WalkLevel {
                level,
                table: Hex(table),
                index,
                entry: Hex(entry),
                present: has(PRESENT),
                writable: has(WRITABLE),
                user: has(USER),
                no_execute: has(NO_EXECUTE),
                large,
            });
            if !has(PRESENT) {
                return Err(format!(
                    "the entry of level {level} is not present: an access is a page fault"
                ));
            }
            if !has(WRITABLE) {
                rights = rights & Rights::READ_EXECUTE;
            }
            if has(NO_EXECUTE) {
                rights = rights & Rights::READ_WRITE;
            }
            if !has(USER) {
                rights = Rights::NONE;
            }
            if large || level == 1 {
                let inside = (1_u64 << shift) - 1;
                return Ok((GuestPhysical(entry & ADDRESS & !inside | address.0 & inside), rights));
            }
            table = entry & ADDRESS;
        }
        unreachable!("level 1 ends every walk")
    }

    /// The eight bytes at an aligned guest-physical address.
    fn word(&self, domain: DomainId, at: GuestPhysical) -> Option<u64> {
        let mapping = self.domains.get(&domain)?.space.lookup(at).ok()?;
        let mut bytes = [0; 8];
        self.arch.frame_read(mapping.frame, at.page_offset(), &mut bytes);
        Some(u64::from_le_bytes(bytes))
    }
}

fn nothing_at(address: GuestPhysical) -> String {
    if address.0 >= PHYSICAL_SIZE {
        return format!("guest-physical {address} is past the end of the domain's space");
    }
    format!("no capability is mapped at guest-physical {address}: an access is refused")
}
