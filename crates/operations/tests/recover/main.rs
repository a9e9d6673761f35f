//! Recoveries as a whole: found, planned, made and published, against what Microsoft's engine made of the same files.

mod cases;
mod common;
mod crash;
mod damage;
mod lost;
mod planning;
mod publishing;
mod real;
mod steps;
