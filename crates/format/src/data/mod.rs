//! What leaf nodes of data trees hold: catalog rows, records, long values, and how values are compressed (`db-4`, `db-5`).

pub mod catalog;
pub mod column;
pub mod compression;
pub mod locale;
pub mod long_value;
pub mod record;
pub mod text;
pub mod value;
