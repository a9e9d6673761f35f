//! Whole folders: what lies there is told, a recovery is planned, and made.
//!
//! Input: a byte that chooses a crash set, a byte of options, then patches. Small inputs change files of several hundred KiB.

use crate::seal;
use crate::seeds;
use anchorlog_format::units::{Generation, LogPosition, LogTime};
use anchorlog_operations::recover::{self, Inputs, Options, Place as Result, Plan, Sources};
use anchorlog_operations::survey::survey;
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::stop::Stop;
use anchorlog_storage::{Folder, OverlayFolder};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Files by their path below the folder.
type Files = Vec<(PathBuf, Vec<u8>)>;

/// Looks at the folder and says what can be done.
pub fn look(input: &[u8]) {
    let Some(case) = Case::parse(input) else { return };
    let folder = OverlayFolder::in_memory(64 << 20);
    for (path, bytes) in &case.files {
        let made = folder.create(path).and_then(|file| file.write_at(0, bytes));
        made.expect("memory takes it");
    }
    let survey = survey(&folder, "folder").expect("a folder in memory can be listed");
    assert!(survey.files.len() + survey.unknown >= case.files.len(), "every file is told");
}

/// Plans a recovery.
pub fn plan(input: &[u8]) {
    let Some(case) = Case::parse(input) else { return };
    let place = Place::make(&case.files);
    if let Some((_, plan)) = case.plan(&place) {
        assert!(plan.possible || plan.preconditions.iter().any(|condition| !condition.holds), "a refusal has a reason");
    }
    place.assert_untouched(&case.files);
}

/// Plans a recovery, and makes it where the plan allows: all of the result is published, or nothing; the source stays as it was.
pub fn recover(input: &[u8]) {
    let Some(case) = Case::parse(input) else { return };
    let place = Place::make(&case.files);
    let Some((sources, plan)) = case.plan(&place) else { return };
    let made = recover::make(&plan, &sources, &Result::Out(place.out()), &ambient(), &mut ());
    assert_eq!(made.is_ok(), place.out().exists(), "what is not recovered is not published");
    place.assert_untouched(&case.files);
    let left: Vec<PathBuf> = fs::read_dir(&place.root).expect("it was made").flatten().map(|entry| entry.path()).collect();
    assert!(left.len() <= 2, "nothing else is left behind: {left:?}");
}

fn ambient() -> Ambient {
    Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7)
}

/// A folder on disk for one input: `in/` and, when published, `out/`.
struct Place {
    root: PathBuf,
    _remove: RemoveAtEnd,
}

struct RemoveAtEnd(PathBuf);

impl Drop for RemoveAtEnd {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Place {
    fn make(files: &Files) -> Self {
        // Memory, where there is such a folder: every result is synced.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let thread = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_ascii_digit(), "");
        let root = parent.join(format!("anchorlog-fuzz-{}-{thread}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (path, bytes) in files {
            let path = root.join("in").join(path);
            fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("the scratch folder can be written");
            fs::write(path, bytes).expect("the scratch folder can be written");
        }
        Self { _remove: RemoveAtEnd(root.clone()), root }
    }
    fn source(&self) -> PathBuf {
        self.root.join("in")
    }
    fn out(&self) -> PathBuf {
        self.root.join("out")
    }
    fn assert_untouched(&self, files: &Files) {
        for (path, bytes) in files {
            let now = fs::read(self.source().join(path)).unwrap_or_default();
            assert!(now == *bytes, "the source {} was touched", path.display());
        }
    }
}

struct Case {
    options: u8,
    files: Files,
}

impl Case {
    fn parse(input: &[u8]) -> Option<Self> {
        static SETS: OnceLock<Vec<Files>> = OnceLock::new();
        let sets = SETS.get_or_init(seeds::crash_folders);
        let [set, options, rest @ ..] = input else { return None };
        let mut files = sets.get(usize::from(*set) % sets.len().max(1))?.clone();
        let mut rest = rest;
        let mut touched = Vec::new();
        while let Some((head, behind)) = rest.split_first_chunk::<PATCH>() {
            let (new, behind) = behind.split_at(usize::from(head[6] % 32).min(behind.len()));
            rest = behind;
            if let Some(index) = usize::from(head[0]).checked_rem(files.len()) {
                touched.push(files[index].0.clone());
                patch(&mut files, index, *head, new);
            }
        }
        if options & 1 == 0 {
            for (path, bytes) in files.iter_mut().filter(|(path, _)| touched.contains(path)) {
                seal::by_name(&path.to_string_lossy(), bytes);
            }
        }
        Some(Self { options: *options, files })
    }
    fn plan(&self, place: &Place) -> Option<(Sources, Plan)> {
        let option = |bit: u8| self.options & 1 << bit != 0;
        let options = Options {
            without_undo: option(1),
            keep_damage: option(2),
            ignore_missing_database: option(3),
            accept_loss: option(4).then_some(Generation(2)),
            stop: option(5).then_some(Stop::Position(LogPosition::new(1, 3, 0))),
            no_create: option(6),
            cache_bytes: if option(7) { 64 * 4096 } else { 0 },
            ..Options::default()
        };
        let sources = Sources::gather(&Inputs { folder: place.source(), ..Inputs::default() }).ok()?;
        let plan = recover::plan(&sources, &options).ok()?;
        Some((sources, plan))
    }
}

/// Bytes of a patch's head: file, kind, offset (32 bits), length.
const PATCH: usize = 7;

fn patch(files: &mut Files, index: usize, head: [u8; PATCH], new: &[u8]) {
    let offset = usize::try_from(u32::from_le_bytes([head[2], head[3], head[4], head[5]])).unwrap_or(0);
    let file = &mut files[index].1;
    let at = offset.checked_rem(file.len()).unwrap_or(0);
    match head[1] % 16 {
        0 => file.truncate(at),
        1 => {
            files.remove(index);
        }
        2 => {
            let block = at / 4096 * 4096;
            let end = (block + 4096).min(file.len());
            file[block..end].fill(head[6]);
        }
        3 => {
            let source = files[usize::from(head[6]) % files.len()].1.clone();
            files[index].1 = source;
        }
        4 => {
            // A page or segment stands in another's place.
            let (from, to) = (at / 4096 * 4096, usize::from(head[6]) * 4096);
            if from + 4096 <= file.len() && to + 4096 <= file.len() {
                file.copy_within(from..from + 4096, to);
            }
        }
        5 => {
            let name = format!("copy-{}-{}", files.len(), files[index].0.file_name().unwrap_or_default().to_string_lossy());
            let copy = (files[index].0.with_file_name(name), files[index].1.clone());
            if files.iter().all(|(path, _)| *path != copy.0) {
                files.push(copy);
            }
        }
        _ => {
            let end = (at + new.len()).min(file.len());
            file[at..end].copy_from_slice(&new[..end - at]);
        }
    }
}
