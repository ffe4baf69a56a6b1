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
