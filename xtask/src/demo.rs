//! `cargo xtask demo`: packs the crash set that `anchorlog demo` recovers.

use anchorlog_testkit::data;
use std::fs;
use std::path::Path;

/// Six sessions at work when the process was stopped. Rows of transactions that never committed had reached the database
/// file, rows that were committed stood in the log alone: a reader that ignores logs is wrong both ways.
const SET: &str = "micro-sessions-written";

/// Writes `crates/cli/demo/crash.tar.lz4`: `db/`, `log/`, and `engine-dump.jsonl`, the rows as Microsoft's engine recovered them.
///
/// LZ4, because its decoder is small and plain Rust.
pub fn pack() -> Result<(), String> {
    let set = data::engine_set(SET).ok_or(format!("{SET} is not here: ../shared/data must stand beside the checkout"))?;
    let folder = set.folder();
    let mut archive = tar::Builder::new(Vec::new());
    for part in ["db", "log"] {
        let mut files: Vec<_> = fs::read_dir(folder.join("before").join(part))
            .map_err(|error| format!("{}: {error}", folder.display()))?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.sort();
        for file in files {
            let name = file.file_name().expect("a listed file has a name");
            append(&mut archive, &Path::new(part).join(name), &file)?;
        }
    }
    append(&mut archive, Path::new("engine-dump.jsonl"), &folder.join("dump.jsonl"))?;
    let bytes = archive.into_inner().map_err(|error| error.to_string())?;
    let packed = lz4_flex::compress_prepend_size(&bytes);
    let target = data::checkout().join("crates/cli/demo/crash.tar.lz4");
    fs::create_dir_all(target.parent().expect("the file lies in a folder")).map_err(|error| error.to_string())?;
    fs::write(&target, &packed).map_err(|error| format!("{}: {error}", target.display()))?;
    println!("{}: {} bytes, {} unpacked", target.display(), packed.len(), bytes.len());
    Ok(())
}

/// Times and owners are left out, so that packing twice gives the same bytes.
fn append(archive: &mut tar::Builder<Vec<u8>>, name: &Path, file: &Path) -> Result<(), String> {
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(bytes.len()).expect("a length fits in 64 bits"));
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, name, bytes.as_slice()).map_err(|error| error.to_string())
}
