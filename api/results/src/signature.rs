//! What a divergence looks like, so that the same one is recognised in many runs.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;

/// What a divergence looks like.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// The kind of event that differs.
    pub event: String,
    /// The field of it that differs.
    pub field: String,
    /// What is in that field on the one side.
    pub left: String,
    /// And on the other.
    pub right: String,
}

impl Signature {
    /// Its id: 16 hexadecimal digits that depend on its four parts and nothing else.
    #[must_use]
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.event, &self.field, &self.left, &self.right] {
            // With its length, so that no part can continue in the next.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hex::encode(&hash.finalize()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts_and_none_runs_into_the_next() {
        let id = |parts: [&str; 4]| {
            let [event, field, left, right] = parts.map(str::to_owned);
            Signature { event, field, left, right }.id()
        };
        let ids = [
            id(["exit", "rax", "1", "2"]),
            id(["exit", "rax", "2", "1"]),
            id(["exitr", "ax", "1", "2"]),
            id(["exit", "rax", "12", ""]),
        ];
        assert!(ids.iter().all(|id| hex::is(id, 16)));
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), 4);
        // Kept by people and in links, so it must not change.
        assert_eq!(ids[0], "2d71b2eb32378d65");
    }
}
