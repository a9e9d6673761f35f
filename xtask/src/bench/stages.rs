//! What each step of a backup costs by itself, on one core: what limits a backup, a check and a restore.

use super::gibibytes;
use super::page::Page;
use aes256ctr_poly1305aes::aead::AeadInPlace as _;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce};
use anchorlog_checksum::verify_page;
use anchorlog_vault::restic::CreateOptions;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes in memory at once: far more than any cache holds, so that each step finds its bytes in memory, as the last one left them.
const SLAB: usize = 64 << 20;

/// The steps, in the order of a backup and then of a restore.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Read,
    Pages,
    Fingerprints,
    Names,
    Compress,
    Seal,
    NamesOfPacks,
    Write,
    Open,
    Decompress,
    WritePlain,
}

impl Step {
    const ALL: [(Self, &'static str, &'static str); 11] = [
        (Self::Read, "read the file", "b2"),
        (Self::Pages, "checksums of pages", "b2r"),
        (Self::Fingerprints, "BLAKE3 of chunks", "b2r"),
        (Self::Names, "SHA-256 of chunks", "bc"),
        (Self::Compress, "zstd, compressing", "b"),
        (Self::Seal, "AES-256 and Poly1305, sealing", "b"),
        (Self::NamesOfPacks, "SHA-256 of packs", "bc"),
        (Self::Write, "write packs", "b"),
        (Self::Open, "AES-256 and Poly1305, opening", "cr"),
        (Self::Decompress, "zstd, decompressing", "cr"),
        (Self::WritePlain, "write the file", "r"),
    ];
    const COUNT: usize = Self::ALL.len();
}

/// The commands, by their letters in the table of steps.
const COMMANDS: [(char, &str); 4] = [('b', "first backup"), ('2', "second backup"), ('c', "check"), ('r', "restore")];

/// A table of all steps over a database, of which `measured` are the CPU times of whole commands, as `COMMANDS` has them.
pub fn stages(database: &Path, page_size: usize, folder: &Path, measured: [Duration; 4], page: &mut Page) -> Result<(), String> {
    let (mut best, mut size, mut stored) = ([Duration::MAX; Step::COUNT], 0, 0);
    for _ in 0..3 {
        let mut times = [Duration::ZERO; Step::COUNT];
        (size, stored) = walk(database, page_size, folder, &mut times).map_err(|error| error.to_string())?;
        for (best, time) in best.iter_mut().zip(times) {
            *best = time.min(*best);
        }
    }
    let CreateOptions { chunk_size, compression, .. } = CreateOptions::default();
    let share = stored as f64 / size as f64;
    page.text(&format!(
        "What limits it: each step by itself on one core, over the same {}, in seconds, the best of three; chunks of {} KiB, zstd at level {compression}, \
         after which {:.0} % are left. What a command takes beyond the sum of its steps is moving bytes between threads and the kernel's part of it. \
         First and second backup are those with `--prove-later`; what 1 % of changed chunks cost is left out.",
        gibibytes(size),
        chunk_size >> 10,
        100.0 * share,
    ));
    let mut rows = Vec::new();
    let mut sums = [Duration::ZERO; COMMANDS.len()];
    for ((_, name, parts), time) in Step::ALL.iter().zip(best) {
        let mut row = vec![(*name).to_owned(), format!("{:.2} GiB/s", size as f64 / time.as_secs_f64() / f64::from(1 << 30))];
        for ((letter, _), sum) in COMMANDS.iter().zip(&mut sums) {
            let is_part = parts.contains(*letter);
            *sum += if is_part { time } else { Duration::ZERO };
            row.push(if is_part { format!("{:.2}", time.as_secs_f64()) } else { String::new() });
        }
        rows.push(row);
    }
    for (name, times) in [("sum", sums), ("the whole command, CPU", measured)] {
        let times = times.iter().map(|time| format!("{:.2}", time.as_secs_f64()));
        rows.push([name.to_owned(), String::new()].into_iter().chain(times).collect());
    }
    let heads: Vec<&str> = ["step", "of plain bytes, a core"].into_iter().chain(COMMANDS.iter().map(|(_, name)| *name)).collect();
    page.table(&heads, &rows);
    Ok(())
}

/// All steps over the file, slab by slab. Returns its size and that of what would be stored.
fn walk(database: &Path, page_size: usize, folder: &Path, times: &mut [Duration; Step::COUNT]) -> std::io::Result<(u64, u64)> {
    let CreateOptions { chunk_size, compression, .. } = CreateOptions::default();
    let mut timed = |step: Step, act: &mut dyn FnMut() -> std::io::Result<()>| {
        let begin = Instant::now();
        act()?;
        times[step as usize] += begin.elapsed();
        std::io::Result::Ok(())
    };
    let cipher = Aes256CtrPoly1305Aes::new(Key::from_slice(&[7; 64]));
    let nonce = Nonce::from_slice(&[1; 16]);
    let (mut compressor, mut decompressor) = (zstd::bulk::Compressor::new(compression)?, zstd::bulk::Decompressor::new()?);
    let mut source = File::open(database)?;
    let [packs_at, plain_at] = ["stages-packs", "stages-plain"].map(|name| folder.join(name));
    let (mut packs, mut plain_file) = (File::create(&packs_at)?, File::create(&plain_at)?);
    let (mut slab, mut size, mut stored) = (Vec::with_capacity(SLAB), 0_u64, 0_u64);
    loop {
        slab.clear();
        timed(Step::Read, &mut || Read::by_ref(&mut source).take(SLAB as u64).read_to_end(&mut slab).map(|_| ()))?;
        if slab.is_empty() {
            break;
        }
        let chunks = || slab.chunks(chunk_size);
        timed(Step::Pages, &mut || {
            for (at, image) in slab.chunks_exact(page_size).enumerate() {
                let number = (size / page_size as u64 + at as u64).saturating_sub(1);
                black_box(verify_page(image, u32::try_from(number).unwrap_or_default()));
            }
            Ok(())
        })?;
        timed(Step::Fingerprints, &mut || {
            chunks().for_each(|chunk| {
                black_box(blake3::hash(chunk));
            });
            Ok(())
        })?;
        timed(Step::Names, &mut || {
            chunks().for_each(|chunk| {
                black_box(Sha256::digest(chunk));
            });
            Ok(())
        })?;
        let mut packed: Vec<Vec<u8>> = Vec::new();
        timed(Step::Compress, &mut || {
            packed = chunks().map(|chunk| compressor.compress(chunk)).collect::<std::io::Result<_>>()?;
            Ok(())
        })?;
        let sealing = |_| std::io::Error::other("sealing");
        let mut tags = Vec::with_capacity(packed.len());
        timed(Step::Seal, &mut || {
            for bytes in &mut packed {
                tags.push(cipher.encrypt_in_place_detached(nonce, b"", bytes).map_err(sealing)?);
            }
            Ok(())
        })?;
        timed(Step::NamesOfPacks, &mut || {
            packed.iter().for_each(|bytes| {
                black_box(Sha256::digest(bytes));
            });
            Ok(())
        })?;
        timed(Step::Write, &mut || packed.iter().try_for_each(|bytes| packs.write_all(bytes)))?;
        timed(Step::Open, &mut || {
            for (bytes, tag) in packed.iter_mut().zip(&tags) {
                cipher.decrypt_in_place_detached(nonce, b"", bytes, tag).map_err(sealing)?;
            }
            Ok(())
        })?;
        timed(Step::Decompress, &mut || {
            packed.iter().try_for_each(|bytes| decompressor.decompress(bytes, chunk_size).map(|plain| drop(black_box(plain))))
        })?;
        timed(Step::WritePlain, &mut || plain_file.write_all(&slab))?;
        size += slab.len() as u64;
        stored += packed.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
    }
    fs::remove_file(packs_at)?;
    fs::remove_file(plain_at)?;
    Ok((size, stored))
}
