//! Transaction logs: files, segments, records, checkpoint (`log-1`, `log-2`, `log-7`).

pub mod parameters;
pub mod record;
pub mod text;
