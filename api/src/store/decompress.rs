//! Unpacking compressed modules.

use std::path::Path;

pub use lcd_compression::Format;
use lcd_compression::UnpackError;

use super::{MODULE_MAX, StoreError};

/// A module file's content: `bytes` themselves if they are not compressed. `path` is for messages.
///
/// # Errors
/// [`StoreError::Unpack`], and [`StoreError::TooLarge`] beyond [`MODULE_MAX`].
pub fn unpack(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>, StoreError> {
    let path = || path.to_owned();
    lcd_compression::unpack(bytes).map_err(|error| match error {
        UnpackError::TooLarge => StoreError::TooLarge { path: path(), limit: MODULE_MAX },
        UnpackError::Damaged { format, why } => StoreError::Unpack { path: path(), format, why },
    })
}
