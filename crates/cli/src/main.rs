//! The `anchorlog` program.
fn main() {}
