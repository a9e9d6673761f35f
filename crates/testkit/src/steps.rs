//! The changes that a case of a data set makes to a copy of its files, as its `meta.json` says them in words.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

/// Applies one step to the files below `root`; `set` is the unpacked set, from which steps copy.
///
/// # Panics
/// When the step is not understood or its files are not there: the test would prove nothing.
pub fn apply(step: &str, root: &Path, set: &Path) {
    let words: Vec<&str> = step.split(' ').collect();
    match words.as_slice() {
        ["remove", path] => fs::remove_file(root.join(path)).unwrap_or_else(|error| panic!("{step}: {error}")),
        ["rename", from, "to", to] | ["move", from, "to", to] => {
            make_parent(&root.join(to));
            fs::rename(root.join(from), root.join(to)).unwrap_or_else(|error| panic!("{step}: {error}"));
        }
        ["copy", from, "to", to] => {
            let source = [root.join(from), set.join(from)].into_iter().find(|path| path.exists());
            make_parent(&root.join(to));
            let bytes = fs::read(source.unwrap_or_else(|| panic!("{step}: no such file"))).expect("the source can be read");
            fs::write(root.join(to), bytes).unwrap_or_else(|error| panic!("{step}: {error}"));
        }
        ["xor", mask, "into", "byte", offset, "of", path] => {
            let mask = u8::from_str_radix(mask.trim_start_matches("0x"), 16).expect("a mask");
            let mut bytes = fs::read(root.join(path)).unwrap_or_else(|error| panic!("{step}: {error}"));
            bytes[offset.parse::<usize>().expect("an offset")] ^= mask;
            fs::write(root.join(path), bytes).expect("the copy can be written");
        }
        ["write", _, "bytes", "hex", hex, "at", "offset", offset, "of", path] => {
            let bytes: Vec<u8> =
                (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex digits")).collect();
            let mut file =
                fs::OpenOptions::new().write(true).open(root.join(path)).unwrap_or_else(|error| panic!("{step}: {error}"));
            file.seek(SeekFrom::Start(offset.parse().expect("an offset"))).expect("the copy can be written");
            file.write_all(&bytes).expect("the copy can be written");
        }
        ["truncate", path, "to", size, "bytes"] => {
            let file = fs::OpenOptions::new().write(true).open(root.join(path)).unwrap_or_else(|error| panic!("{step}: {error}"));
            file.set_len(size.parse().expect("a size")).expect("the copy can be cut");
        }
        _ => panic!("a step that is not understood: {step}"),
    }
}

fn make_parent(path: &Path) {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).expect("the folder can be made");
    }
}
