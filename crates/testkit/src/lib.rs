//! What tests need and products must not depend on: data sets, builders, differs.

pub mod crash;
pub mod data;
pub mod database;
pub mod differ;
pub mod dump_text;
pub mod header_text;
pub mod ml;
pub mod mutate;
pub mod random;
pub mod s3;
pub mod steps;
