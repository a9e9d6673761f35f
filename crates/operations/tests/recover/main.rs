//! Recoveries as a whole: found, planned, made and published, against what Microsoft's engine made of the same files.

mod cases;
mod common;
mod crash;
mod damage;
mod lost;
mod publishing;

/// Of every set its own tests walk only those with a name in `SET`, where that is given.
pub fn wanted(name: &str) -> bool {
    std::env::var("SET").ok().is_none_or(|only| name.contains(&only))
}
