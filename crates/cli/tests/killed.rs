//! The program is killed at random moments while it recovers in place, on a real file system.

mod common;

use anchorlog_testkit::data::copy_folder;
use anchorlog_testkit::differ::page_differences;
use anchorlog_testkit::random::Random;
use common::{anchorlog, code, contents, large, program, said, set};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Recovered for a while, and small ones that spend their time on publishing.
fn sets() -> [&'static str; 4] {
    [large(), "micro-multi-db", "micro-createdb", "micro-circular"]
}

/// The files below a folder, by their names as they are written.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    contents(folder).into_iter().map(|(path, bytes)| (path.display().to_string(), bytes)).collect()
}

/// What a run that is left alone makes of a set, and how long it takes.
struct Whole {
    files: BTreeMap<String, Vec<u8>>,
    dumps: BTreeMap<String, String>,
    took: Duration,
}

fn is_database(name: &str) -> bool {
    name.ends_with(".edb") && !name.starts_with("anchorlog-originals-")
}

fn dumps(folder: &Path) -> BTreeMap<String, String> {
    let databases = files(folder).into_keys().filter(|name| is_database(name));
    databases
        .map(|name| {
            let output = anchorlog(&["dump", &name], folder);
            assert_eq!(code(&output), 0, "{}", said(&output));
            let text = String::from_utf8(output.stdout).unwrap();
            (name, text)
        })
        .collect()
}

impl Whole {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&set(name).folder().join("before"), folder.path()).unwrap();
        let began = Instant::now();
        let output = anchorlog(&["recover", ".", "--in-place", "-q"], folder.path());
        assert_eq!(code(&output), 0, "{}", said(&output));
        Self { took: began.elapsed(), files: files(folder.path()), dumps: dumps(folder.path()) }
    }
}

/// Kills a run, and with some luck the next ones, too; then lets one come to its end. Returns whether any was killed before its end.
fn kill_and_finish(name: &str, whole: &Whole, random: &mut Random) -> bool {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&set(name).folder().join("before"), folder.path()).unwrap();
    let originals = files(folder.path());
    let mut killed = false;
    for _ in 0..=random.below(3) {
        let mut run = program()
            .args(["recover", ".", "--in-place", "-q"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let parts = u32::try_from(random.below(1000)).unwrap();
        // Publishing comes near the end, and takes a moment only.
        let wait = if random.below(2) == 0 { whole.took * parts / 1000 } else { whole.took * (800 + parts / 4) / 1000 };
        std::thread::sleep(wait);
        _ = run.kill();
        killed |= run.wait().unwrap().code().is_none();
    }
    let last = anchorlog(&["recover", ".", "--in-place", "-q"], folder.path());
    assert_eq!(code(&last), 0, "{name}: {}", said(&last));
    let left = files(folder.path());
    assert!(left.keys().all(|path| !path.starts_with('.')), "{name}: {:?}", left.keys());
    for (path, ours) in left.iter().filter(|(path, _)| is_database(path)) {
        assert_eq!(page_differences(ours, &whole.files[path]), [], "{name}: {path}");
    }
    assert!(dumps(folder.path()) == whole.dumps, "{name}: other rows");
    // Every original is there, in its place or set aside.
    for (path, bytes) in originals {
        let is_it = |(at, _): &(&String, &Vec<u8>)| at.starts_with("anchorlog-originals-") && at.ends_with(&format!("/{path}"));
        let found = left.iter().find(is_it).map(|(_, bytes)| bytes).or_else(|| left.get(&path));
        assert!(found == Some(&bytes), "{name}: the original {path} is lost");
    }
    killed
}

fn kill_often(times: u64, seed: u64) {
    let mut random = Random::new(seed);
    let whole = sets().map(|name| (name, Whole::of(name)));
    let (mut killed, began) = (0, Instant::now());
    for time in 0..times {
        let (name, whole) = &whole[usize::try_from(time).unwrap() % whole.len()];
        killed += u64::from(kill_and_finish(name, whole, &mut random));
        if time % 10 == 9 {
            println!("{} recoveries, {killed} of them killed, {} seconds", time + 1, began.elapsed().as_secs());
        }
    }
    assert!(killed * 4 >= times, "only {killed} of {times} were killed before their end");
}

#[test]
fn a_run_in_place_that_is_killed_at_any_moment_is_completed_or_begun_again_by_the_next() {
    kill_often(12, 1);
}

#[test]
#[ignore = "takes minutes: cargo xtask crash --kill 100"]
fn killed_as_often_as_asked() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    kill_often(number("ANCHORLOG_CRASH_KILLS", 100), number("ANCHORLOG_CRASH_SEED", 1));
}
