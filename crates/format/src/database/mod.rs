//! The database file and its companions (`db-1`): header, states, versions, trailer of a streamed backup, flush map.

pub mod file_type;
pub mod flush_map;
pub mod header;
pub mod state;
pub mod trailer;
pub mod version;

pub use file_type::FileType;
pub use header::{Copies, DatabaseHeader, HeaderFault, HeaderPage};
pub use state::DatabaseState;
pub use trailer::Trailer;
pub use version::{DatabaseVersion, Feature};
