//! Where a vault lies: a folder, or object storage.

use crate::exit::Trouble;
use anchorlog_vault::Result;
use anchorlog_vault::restic::{CreateOptions, ResticVault, Secret};
use std::path::{Path, PathBuf};

/// Where a vault lies.
pub enum Location {
    Folder(PathBuf),
    #[cfg(feature = "s3")]
    ObjectStorage(anchorlog_vault_s3::Location),
}

impl Location {
    /// What the user wrote: `s3:…` is object storage, anything else a folder.
    pub fn of(text: &Path) -> std::result::Result<Self, Trouble> {
        match text.to_str().filter(|text| text.starts_with("s3:")) {
            Some(text) => object_storage(text),
            None => Ok(Self::Folder(text.to_owned())),
        }
    }
    /// Opens the vault there.
    ///
    /// # Errors
    /// As [`ResticVault::open`].
    pub fn open(self, secret: &Secret) -> Result<ResticVault> {
        match self {
            Self::Folder(folder) => ResticVault::open(&folder, secret),
            #[cfg(feature = "s3")]
            Self::ObjectStorage(location) => ResticVault::open_on(backend(location)?, secret),
        }
    }
    /// Makes a vault there.
    ///
    /// # Errors
    /// As [`ResticVault::create`].
    pub fn create(self, secret: &Secret, options: CreateOptions) -> Result<ResticVault> {
        match self {
            Self::Folder(folder) => ResticVault::create(&folder, secret, options),
            #[cfg(feature = "s3")]
            Self::ObjectStorage(location) => ResticVault::create_on(backend(location)?, secret, options),
        }
    }
}

#[cfg(feature = "s3")]
fn object_storage(text: &str) -> std::result::Result<Location, Trouble> {
    let location = anchorlog_vault_s3::Location::parse(text, |name| std::env::var(name).ok());
    location.map(Location::ObjectStorage).map_err(|error| {
        Trouble::usage(
            error.to_string(),
            "Write s3://BUCKET/PREFIX, or s3:https://HOST:PORT/BUCKET/PREFIX; for a folder of that name, ./s3:….",
        )
    })
}

#[cfg(not(feature = "s3"))]
fn object_storage(text: &str) -> std::result::Result<Location, Trouble> {
    Err(Trouble::usage(
        format!("{text} is a place on object storage, which this build of anchorlog leaves out"),
        "Take a build with the feature s3; for a folder of that name write ./s3:….",
    ))
}

#[cfg(feature = "s3")]
fn backend(location: anchorlog_vault_s3::Location) -> Result<std::sync::Arc<dyn anchorlog_vault::restic::backend::Backend>> {
    use anchorlog_vault_s3::{Options, S3Backend};
    let place = anchorlog_vault::Place::object(location.to_string());
    let backend = S3Backend::new(location, Options::default()).map_err(|error| anchorlog_vault::Error::Storage(place, error))?;
    Ok(std::sync::Arc::new(backend))
}
