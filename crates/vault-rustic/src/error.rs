//! What goes wrong.

use rustic_core::RusticError;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vault's own reason.
    #[error(transparent)]
    Vault(#[from] anchorlog_vault::Error),
    /// rustic_core's reason.
    #[error("rustic: {0}")]
    Rustic(String),
    /// rustic_core panicked: what it was at may be half done, which no set suffers from.
    #[error("rustic stopped in the middle: {0}")]
    Panicked(String),
    /// Less patience than is safe.
    #[error("packs that were marked are kept for {0} hours at least")]
    Impatient(u32),
}

impl From<Box<RusticError>> for Error {
    fn from(error: Box<RusticError>) -> Self {
        Self::Rustic(error.to_string())
    }
}

/// Calls rustic_core; a panic is an error.
pub(crate) fn guarded<T>(act: impl FnOnce() -> Result<T>) -> Result<T> {
    let told = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    };
    // Nothing of ours is left half changed by a panic: the storage is what it is after a stop at any moment.
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(Error::Panicked(told(panic))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let result: Result<()> = guarded(|| panic!("an unwrap on {}", "nothing"));
        assert!(matches!(result, Err(Error::Panicked(text)) if text == "an unwrap on nothing"));
    }
}
