//! `cargo xtask bench`: figures against peers and the limits of the machine.

mod build;
pub mod replay;
mod tree;

use anchorlog_format::units::PageSize;
use build::{Recipe, build};
use std::path::Path;

/// `cargo xtask build`: a clean database of a given length.
///
/// # Errors
/// In words.
pub fn make(arguments: &[&str]) -> Result<(), String> {
    let usage = || "build FILE PAGE_KIB MIB [indexed] [SEED]".to_owned();
    let [file, page, size, rest @ ..] = arguments else { return Err(usage()) };
    let number = |text: &str| text.parse::<u64>().map_err(|_| usage());
    let page_size = u32::try_from(number(page)? << 10).ok().and_then(PageSize::from_field).ok_or_else(usage)?;
    let seed = rest.iter().find(|text| **text != "indexed").map_or(Ok(1), |text| number(text))?;
    let recipe = Recipe { page_size, bytes: number(size)? << 20, indexed: rest.contains(&"indexed"), seed };
    let built = build(&recipe, Path::new(file))?;
    println!("{file}: {} records, {} bytes", built.rows, built.bytes);
    Ok(())
}
