//! Backup into a vault against stock restic and `cp`: first and second backup, check of all data, restore.

use super::build::{Recipe, build};
use super::page::Page;
use super::run::{Contender, Run, compare, once};
use super::stages::stages;
use super::{Workshop, gibibytes, mebibytes, seconds, status};
use anchorlog_checksum::set_page_checksum;
use anchorlog_format::units::PageSize;
use anchorlog_testkit::random::Random;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PAGE_SIZE: usize = 32 << 10;
/// One page of so many changes from one backup to the next.
const CHANGED: usize = 100;

/// `backup`, `vault check --data` and `restore set` against restic and `cp`.
pub fn vault(shop: &Workshop, page: &mut Page) -> Result<(), String> {
    let place = Place::new(shop)?;
    let length = fs::metadata(place.path("day1.edb")).map_err(|error| error.to_string())?.len();
    page.section(
        "Backup and restore",
        &format!(
            "A clean database of {} with {} KiB pages that compress to about half, in the memory file system; vault and repository there as well. \
             `anchorlog backup` verifies every page, and reads the set back from the vault and compares it, which is told apart (`--prove-later` \
             leaves it to a drill); restic and `cp` do neither. Second backup: one page of {CHANGED} has changed, spread at random. Restoring, we verify every \
             page and the hash of the file. Our key is a key file of 256 random bits; restic's password costs it a key derivation in each command.",
            gibibytes(length),
            PAGE_SIZE >> 10,
        ),
    );
    let mut rows = Vec::new();
    let mut add = |stage: &str, contenders: &[Contender]| -> Result<Vec<Run>, String> {
        let runs = compare(contenders, if shop.short { 1 } else { 3 })?;
        let restic = contenders.iter().zip(&runs).find(|(contender, _)| contender.name == "restic").map(|(_, run)| *run);
        for (contender, run) in contenders.iter().zip(&runs) {
            rows.push(row(stage, &contender.name, run, restic.as_ref(), length));
        }
        Ok(runs)
    };
    let first = add(
        "first backup",
        &[
            place.contender("anchorlog", &["fresh-vault", "day1"], &place.backup(&[])),
            place.contender("anchorlog --prove-later", &["fresh-vault", "day1"], &place.backup(&["--prove-later"])),
            place.contender("restic", &["fresh-restic", "day1"], &place.restic(&["backup", "--quiet", "nightly.edb"])),
            place.contender("cp", &[], &["cp", "day1.edb", "copy.edb"].map(str::to_owned)),
        ],
    )?;
    place.remove("copy.edb");
    for (fresh, first) in
        [("fresh-vault", place.backup(&["--prove-later"])), ("fresh-restic", place.restic(&["backup", "--quiet", "nightly.edb"]))]
    {
        place.prepare(fresh)?;
        place.prepare("day1")?;
        once(&mut place.command(&first))?;
    }
    let stored = ["vault", "restic"].map(|name| size_below(&place.path(name)));
    place.keep_first();
    let second = add(
        "second backup",
        &[
            place.contender("anchorlog", &["vault-of-day1", "day2"], &place.backup(&[])),
            place.contender("anchorlog --prove-later", &["vault-of-day1", "day2"], &place.backup(&["--prove-later"])),
            place.contender("restic", &["restic-of-day1", "day2"], &place.restic(&["backup", "--quiet", "nightly.edb"])),
        ],
    )?;
    // Whatever is not needed any more goes: where memory runs short, it is the kernel that is measured.
    for name in ["vault1", "restic1", "restic-cache1", "nightly.edb", "day1.edb"] {
        place.remove(name);
    }
    let check = add(
        "check of all data",
        &[
            place.contender("anchorlog", &[], &place.anchorlog(&["vault", "check", "--data"])),
            place.contender("restic", &[], &place.restic(&["check", "--read-data", "--quiet"])),
        ],
    )?;
    let restore = add(
        "restore",
        &[
            place.contender("anchorlog", &["no-result"], &place.anchorlog(&["restore", "set", "latest", "--out", "result"])),
            place.contender("restic", &["no-result"], &place.restic(&["restore", "latest", "--target", "result", "--quiet"])),
            place.contender("cp", &[], &["cp", "day2.edb", "copy.edb"].map(str::to_owned)),
        ],
    )?;
    page.table(&["", "", "CPU", "time", "of restic's CPU", "of restic's time", "rate", "memory"], &rows);
    let [vault, restic] = stored.map(|size| 100.0 * size as f64 / length as f64);
    page.text(&format!(
        "After the first backup the vault holds {vault:.0} % of the database's bytes, restic's repository {restic:.0} %."
    ));
    let cpu = |runs: &[Run], at: usize| runs.get(at).map_or(Duration::ZERO, |run| run.cpu);
    let measured = [cpu(&first, 1), cpu(&second, 1), cpu(&check, 0), cpu(&restore, 0)];
    place.remove("copy.edb");
    place.remove("result");
    stages(&place.path("day2.edb"), PAGE_SIZE, &place.folder, measured, page)?;
    fs::remove_dir_all(&place.folder).map_err(|error| error.to_string())
}

/// Bytes of all files in a folder.
fn size_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(
            |entry| if entry.path().is_dir() { size_below(&entry.path()) } else { entry.metadata().map_or(0, |file| file.len()) },
        )
        .sum()
}

fn row(stage: &str, name: &str, run: &Run, restic: Option<&Run>, length: u64) -> Vec<String> {
    let part = |ours: f64, theirs: fn(&Run) -> f64| match restic {
        Some(restic) if ours > 0.0 => format!("1 / {:.1}", theirs(restic) / ours),
        _ => String::new(),
    };
    vec![
        stage.to_owned(),
        name.to_owned(),
        seconds(run.cpu),
        seconds(run.wall),
        part(run.cpu.as_secs_f64(), |run| run.cpu.as_secs_f64()),
        part(run.wall.as_secs_f64(), |run| run.wall.as_secs_f64()),
        format!("{:.2} GiB/s", length as f64 / run.wall.as_secs_f64() / f64::from(1 << 30)),
        mebibytes(run.memory),
    ]
}

/// A folder in memory with everything.
#[derive(Clone)]
struct Place {
    folder: PathBuf,
    program: PathBuf,
}

impl Place {
    fn new(shop: &Workshop) -> Result<Self, String> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.join("anchorlog-bench") } else { shop.folder.join("vault") };
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let place = Self { folder, program: shop.program.clone() };
        let page_size = u32::try_from(PAGE_SIZE).ok().and_then(PageSize::from_field).ok_or("a page size")?;
        let bytes = if shop.short { 64 << 20 } else { 2 << 30 };
        build(&Recipe { page_size, bytes, indexed: false, seed: 1 }, &place.path("day1.edb"))?;
        change(&place.path("day1.edb"), &place.path("day2.edb")).map_err(|error| error.to_string())?;
        status(Command::new("restic").arg("version")).map_err(|error| format!("{error}: restic is needed (Debian: restic)"))?;
        Ok(place)
    }
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
    fn remove(&self, name: &str) {
        let path = self.path(name);
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(words.first().map_or("true", String::as_str));
        command.args(words.get(1..).unwrap_or_default()).current_dir(&self.folder).env("RESTIC_PASSWORD", "correct horse");
        command
    }
    fn anchorlog(&self, words: &[&str]) -> Vec<String> {
        let program = self.program.display().to_string();
        let common = ["--vault", "vault", "--key-file", "key", "--quiet"];
        [program].into_iter().chain(words.iter().chain(&common).map(|word| (*word).to_owned())).collect()
    }
    fn backup(&self, more: &[&str]) -> Vec<String> {
        let words = ["backup", "offline", "--database", "nightly.edb", "--assume-dismounted"];
        self.anchorlog(&[&words, more].concat())
    }
    fn restic(&self, words: &[&str]) -> Vec<String> {
        let common = ["restic", "--repo", "restic", "--cache-dir", "restic-cache"];
        common.iter().chain(words).map(|word| (*word).to_owned()).collect()
    }
    /// A command before each run of which some things are brought into their state.
    fn contender(&self, name: &str, before: &[&str], words: &[String]) -> Contender {
        let (place, words) = (self.clone(), words.to_vec());
        let before: Vec<String> = before.iter().map(|state| (*state).to_owned()).collect();
        Contender::new(name, move || {
            // What cannot be prepared fails the command.
            let failed = before.iter().find_map(|state| place.prepare(state).err());
            if failed.is_some() { Command::new("false") } else { place.command(&words) }
        })
    }
    fn prepare(&self, state: &str) -> Result<(), String> {
        let shell = |line: &str| status(Command::new("sh").arg("-c").arg(line).current_dir(&self.folder));
        match state {
            "fresh-vault" => {
                let program = self.program.display();
                shell(&format!("rm -rf vault key && '{program}' vault init vault --new-key-file key --quiet >/dev/null"))
            }
            "fresh-restic" => shell(
                "rm -rf restic restic-cache && RESTIC_PASSWORD='correct horse' restic --repo restic --cache-dir restic-cache init --quiet",
            ),
            "vault-of-day1" => shell("rm -rf vault && cp -a vault1 vault"),
            "restic-of-day1" => shell("rm -rf restic restic-cache && cp -a restic1 restic && cp -a restic-cache1 restic-cache"),
            "no-result" => shell("rm -rf result"),
            day => shell(&format!("cp {day}.edb nightly.edb")),
        }
    }
    fn keep_first(&self) {
        for name in ["vault", "restic", "restic-cache"] {
            self.remove(&format!("{name}1"));
            let _ = fs::rename(self.path(name), self.path(&format!("{name}1")));
        }
    }
}

/// A copy in which pages have changed, with the checksums that they must have.
fn change(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::copy(from, to)?;
    let mut file = File::options().read(true).write(true).open(to)?;
    let pages = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX) / PAGE_SIZE;
    let mut random = Random::new(2);
    let mut image = vec![0; PAGE_SIZE];
    for _ in 0..pages / CHANGED {
        // The two copies of the header, and the roots behind them, stay.
        let at = 64 + random.below(pages.saturating_sub(128).max(1));
        file.seek(SeekFrom::Start((at * PAGE_SIZE) as u64))?;
        file.read_exact(&mut image)?;
        let byte = PAGE_SIZE / 2 + random.below(PAGE_SIZE / 4);
        image[byte] ^= 1;
        set_page_checksum(&mut image, u32::try_from(at - 1).unwrap_or(u32::MAX));
        file.seek(SeekFrom::Start((at * PAGE_SIZE) as u64))?;
        file.write_all(&image)?;
    }
    Ok(())
}
