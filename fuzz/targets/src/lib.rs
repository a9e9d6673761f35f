//! What is fuzzed: plain functions over bytes, shared by libFuzzer (`fuzz/fuzz_targets`) and by the driver for the stable toolchain
//! ([`driver`]). A target must not panic, hang, or take memory without bound, whatever the bytes are.
//!
//! Their first inputs are made at run time from the data sets ([`seeds`]): nothing is stored.
#![forbid(unsafe_code)]

pub mod apply;
pub mod database;
pub mod driver;
pub mod files;
pub mod folder;
pub mod format;
pub mod log;
pub mod mutate;
pub mod seal;
pub mod seeds;

/// One thing to fuzz.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// Runs it on one input.
    pub run: fn(&[u8]),
    /// Inputs to begin with: real structures of the data sets.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Everything that is fuzzed.
pub const TARGETS: &[Target] = &[
    Target { name: "database_header", run: format::database_header, seeds: seeds::database_headers },
    Target { name: "trailer", run: format::trailer, seeds: seeds::trailers },
    Target { name: "flush_map", run: format::flush_map, seeds: seeds::flush_maps },
    Target { name: "page", run: format::page, seeds: seeds::pages },
    Target { name: "page_edit", run: format::page_edit, seeds: seeds::page_edits },
    Target { name: "space", run: format::space, seeds: seeds::space_nodes },
    Target { name: "record", run: format::record, seeds: seeds::rows },
    Target { name: "catalog", run: format::catalog, seeds: seeds::catalog_rows },
    Target { name: "long_value", run: format::long_value, seeds: seeds::long_values },
    Target { name: "compression", run: format::compression, seeds: seeds::compressed },
    Target { name: "database", run: database::read, seeds: seeds::databases },
    Target { name: "log_header", run: log::header, seeds: seeds::log_headers },
    Target { name: "log_file", run: log::file, seeds: seeds::log_files },
    Target { name: "legacy_log_file", run: log::file, seeds: seeds::legacy_log_files },
    Target { name: "log_record", run: log::record, seeds: seeds::log_records },
    Target { name: "checkpoint", run: log::checkpoint, seeds: seeds::checkpoints },
    Target { name: "inspect", run: files::show, seeds: seeds::files_of_all_kinds },
    Target { name: "apply", run: apply::run, seeds: seeds::applications },
    Target { name: "survey", run: folder::look, seeds: seeds::patches },
    Target { name: "plan", run: folder::plan, seeds: seeds::patches },
    Target { name: "recover", run: folder::recover, seeds: seeds::patches },
];

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
