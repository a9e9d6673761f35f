//! Hostile databases: pages whose checksums hold, and whose content lies. Nothing panics, hangs, or grows without bound.

use anchorlog_checksum::set_page_checksum;
use anchorlog_database::Database;
use anchorlog_database::canonical::{Tables, dump};
use anchorlog_database::check::check;
use anchorlog_storage::File;
use anchorlog_testkit::data::engine_sets;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Memory(Vec<u8>);

impl File for Memory {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let bytes = &self.0[start..self.0.len().min(start.saturating_add(buffer.len()))];
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn set_size(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Numbers that only depend on their seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).expect("small")).expect("small")
    }
}

/// Changes pages in ways that leave their checksums right.
fn damage(bytes: &mut [u8], page_size: usize, random: &mut Random) {
    let pages = bytes.len() / page_size - 2;
    for _ in 0..1 + random.below(6) {
        let page = 1 + random.below(pages);
        let start = (page + 1) * page_size;
        let other = (1 + random.below(pages) + 1) * page_size;
        let image = bytes[other..other + page_size].to_vec();
        let target = &mut bytes[start..start + page_size];
        match random.below(5) {
            // Another page in its place.
            0 => target.copy_from_slice(&image),
            // The header, the tags, the front of the data: where lengths and links stand.
            1 => target[8 + random.below(72)] = random.next().to_le_bytes()[0],
            2 => target[page_size - 1 - random.below(64)] ^= random.next().to_le_bytes()[0],
            3 => target[40 + random.below(200)] ^= random.next().to_le_bytes()[0],
            _ => target[random.below(page_size)] ^= random.next().to_le_bytes()[0],
        }
        if target.iter().any(|&byte| byte != 0) {
            if page_size > 8192 {
                target[64..68].copy_from_slice(&u32::try_from(page).expect("small").to_le_bytes());
            }
            set_page_checksum(target, u32::try_from(page).expect("small"));
        }
    }
}

fn databases() -> Vec<(String, PathBuf)> {
    let names = ["clean-4k", "clean-32k", "micro-template", "micro-multivalue", "micro-split-internal", "micro-lv-shared"];
    let sets = engine_sets().into_iter().filter(|set| names.contains(&set.name.as_str()));
    let places = ["clean/db1.edb", "after/db/db1.edb"];
    sets.flat_map(|set| places.map(|place| (set.name.clone(), set.folder().join(place))))
        .filter(|(_, path)| path.is_file())
        .collect()
}

#[test]
fn lies_behind_good_checksums_are_read_without_panic_or_hang() {
    let mut read = 0;
    for (name, path) in databases() {
        let original = fs::read(&path).expect("the database can be read");
        let page_size = match u32::from_le_bytes(original[236..240].try_into().expect("four bytes")) {
            0 => 4096,
            size => usize::try_from(size).expect("small"),
        };
        for seed in 1_u64..=60 {
            let mut bytes = original.clone();
            damage(&mut bytes, page_size, &mut Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            let begun = Instant::now();
            let database = Database::open("lie.edb", Arc::new(Memory(bytes)), 0).expect("the header is whole");
            for tables in [Tables::Users, Tables::Engines] {
                dump(&database, "lie.edb", tables, &mut io::sink()).expect("nothing is written");
            }
            check(&database, &mut |_| {});
            let taken = begun.elapsed();
            assert!(taken < Duration::from_secs(30), "{name} seed {seed}: {taken:?}");
            read += 1;
        }
    }
    assert!(read > 0);
}

/// A page that leads to itself, by way of a valid inner page.
#[test]
fn a_tree_that_leads_in_a_circle_ends() {
    let Some((_, path)) = databases().into_iter().find(|(name, _)| name == "micro-split-internal") else { return };
    let original = fs::read(&path).expect("the database can be read");
    let page_size = 4096;
    let inner: Vec<usize> = (1..original.len() / page_size - 1)
        .filter(|page| {
            let flags = original[(page + 1) * page_size + 36];
            let tags = original[(page + 1) * page_size + 34];
            flags & 2 == 0 && tags > 2
        })
        .collect();
    assert!(!inner.is_empty());
    for page in inner {
        let mut bytes = original.clone();
        let target = &mut bytes[(page + 1) * page_size..(page + 2) * page_size];
        // The data of line 0, a child's number, lies at the end of its bytes.
        let tag = page_size - 8;
        let length = usize::from(u16::from_le_bytes([target[tag], target[tag + 1]]) & 0x1FFF);
        let offset = usize::from(u16::from_le_bytes([target[tag + 2], target[tag + 3]]) & 0x1FFF);
        let child = 40 + offset + length - 4;
        target[child..child + 4].copy_from_slice(&u32::try_from(page).expect("small").to_le_bytes());
        set_page_checksum(target, u32::try_from(page).expect("small"));
        let database = Database::open("circle.edb", Arc::new(Memory(bytes)), 0).expect("the header is whole");
        dump(&database, "circle.edb", Tables::Users, &mut io::sink()).expect("nothing is written");
        check(&database, &mut |_| {});
    }
}

#[test]
fn a_cache_holds_no_more_than_it_was_given() {
    let Some((_, path)) = databases().into_iter().next() else { return };
    let bytes = fs::read(&path).expect("the database can be read");
    let memory = 32 * 4096;
    let database = Database::open("small.edb", Arc::new(Memory(bytes)), memory).expect("the header is whole");
    check(&database, &mut |_| {});
    let held = database.cache().held() * database.page_size().bytes();
    assert!(held <= memory.max(16 * database.page_size().bytes()), "{held} bytes");
    assert!(database.pages() > 32);
}
