//! The program is killed at random moments while it works on a vault, on a real file system: no set is lost, none is published by halves, the
//! source stays as it is, and the next command needs nobody who removes a lock.
//!
//! `cargo xtask crash --vault` does the same more often.
#![cfg(unix)]

mod common;

use anchorlog_testkit::data::copy_folder;
use anchorlog_testkit::random::Random;
use anchorlog_vault::restic::{CreateOptions, Depth, ResticVault, Secret};
use anchorlog_vault::{Name, SetId, Vault as _};
use common::{anchorlog, code, contents, program, said, set};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

type Contents = BTreeMap<PathBuf, Vec<u8>>;

/// A command that is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Backup,
    Restore,
    #[cfg(feature = "prune")]
    Prune,
    Forget,
    Drill,
}

const VERBS: &[Verb] = &[
    Verb::Backup,
    Verb::Restore,
    #[cfg(feature = "prune")]
    Verb::Prune,
    Verb::Forget,
    Verb::Drill,
];

/// A source `one` with a database, of which the vault has a set, and `two` with others, of which it has one where the command wants it; what a
/// run that is left alone makes, and how long it takes.
struct Scene {
    verb: Verb,
    template: tempfile::TempDir,
    sources: Contents,
    arguments: Vec<String>,
    restored: Contents,
    /// How long the last run took that was left alone.
    took: Cell<Duration>,
}

/// In memory, where there is a file system in it: what a killed program leaves is the same there, and no disk is waited for.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The same files under other names: none is ever written anew in its place. The vault makes empty folders of packs anew.
fn link_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if !entry.file_type().unwrap().is_dir() {
            fs::hard_link(entry.path(), target).unwrap();
        } else if !from.ends_with("data") || fs::read_dir(entry.path()).unwrap().next().is_some() {
            fs::create_dir(&target).unwrap();
            link_folder(&entry.path(), &target);
        }
    }
}

fn secret() -> Secret {
    Secret::password("secret")
}

fn opened(root: &Path) -> ResticVault {
    ResticVault::open(&root.join("vault"), &secret()).unwrap()
}

fn with_vault<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--vault", "vault", "--password-file", "password", "-q"]].concat()
}

fn done(root: &Path, arguments: &[&str]) {
    let output = anchorlog(&with_vault(arguments), root);
    assert_eq!(code(&output), 0, "{arguments:?}: {}", said(&output));
}

/// Files of a folder, none where there is no folder.
fn files(folder: &Path) -> Contents {
    if folder.exists() { contents(folder) } else { Contents::new() }
}

impl Scene {
    fn of(verb: Verb) -> Self {
        let template = folder();
        let root = template.path();
        for (name, of) in [("one", "micro-insert"), ("two", "micro-multi-db")] {
            copy_folder(&set(of).folder().join("after"), &root.join("source").join(name)).unwrap();
        }
        fs::write(root.join("password"), "secret").unwrap();
        let options = CreateOptions { kdf_cost: 10, ..CreateOptions::default() };
        drop(ResticVault::create(&root.join("vault"), &secret(), options).unwrap());
        done(root, &["backup", "offline", "source/one", "--label", "one"]);
        if verb != Verb::Backup {
            done(root, &["backup", "offline", "source/two", "--label", "two"]);
        }
        let newest = opened(root).sets().unwrap().pop().unwrap().unwrap().id;
        let arguments: &[&str] = match verb {
            Verb::Backup => &["backup", "offline", "source/two", "--label", "two"],
            Verb::Restore => &["restore", "set", "latest", "--out", "new"],
            #[cfg(feature = "prune")]
            Verb::Prune => &["vault", "prune", "--max-unused", "0", "--max-repack", "unlimited"],
            Verb::Forget => &["vault", "forget", newest.as_str()],
            Verb::Drill => &["drill", "latest", "--scratch", "scratch"],
        };
        let arguments = with_vault(arguments).into_iter().map(str::to_owned).collect();
        match verb {
            #[cfg(feature = "prune")]
            Verb::Prune => opened(root).forget(std::slice::from_ref(&newest)).unwrap(),
            Verb::Drill => fs::create_dir(root.join("scratch")).unwrap(),
            _ => {}
        }
        let sources = files(&root.join("source"));
        let took = Cell::default();
        let mut scene = Self { verb, template, sources, arguments, restored: Contents::new(), took };
        let place = scene.copy();
        scene.run_to_the_end(place.path());
        scene.restored = files(&place.path().join("new"));
        scene
    }

    fn copy(&self) -> tempfile::TempDir {
        let place = folder();
        link_folder(self.template.path(), place.path());
        place
    }

    fn run_to_the_end(&self, root: &Path) {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let began = Instant::now();
        let output = anchorlog(&arguments, root);
        assert_eq!(code(&output), 0, "{:?}: {}", self.verb, said(&output));
        self.took.set(began.elapsed());
    }

    /// Kills a run at a random moment, looks at what is left, and lets the next run come to its end. Whether it was killed before its end.
    fn kill_and_finish(&self, random: &mut Random) -> bool {
        let place = self.copy();
        let root = place.path();
        let mut run = program();
        let run = run.args(&self.arguments).current_dir(root).stdout(Stdio::null()).stderr(Stdio::null());
        let mut run = run.spawn().unwrap();
        std::thread::sleep(self.took.get() * u32::try_from(random.below(1000)).unwrap() / 1000);
        run.kill().unwrap();
        let killed = run.wait().unwrap().code().is_none();
        let has_two = |root: &Path| self.judge(root).iter().any(|label| label == "two");
        let had_two = has_two(root);
        let new = files(&root.join("new"));
        assert!(new.is_empty() || new == self.restored, "a result was published by halves");
        let is_done = match self.verb {
            Verb::Forget => !had_two,
            Verb::Restore => !new.is_empty(),
            Verb::Backup | Verb::Drill => false,
            #[cfg(feature = "prune")]
            Verb::Prune => false,
        };
        // What is done already cannot be done again: a set is gone, a place is taken.
        if !is_done {
            self.run_to_the_end(root);
        }
        let keeps_two = has_two(root);
        assert!(fs::read_dir(root.join("vault/locks")).unwrap().next().is_none() || is_done, "a lock is left");
        assert_eq!(keeps_two, matches!(self.verb, Verb::Backup | Verb::Restore | Verb::Drill));
        assert!(files(&root.join("new")) == self.restored);
        if !is_done {
            let left: Vec<_> = fs::read_dir(root).unwrap().flatten().map(|entry| entry.file_name()).collect();
            assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
            assert!(files(&root.join("scratch")).is_empty(), "the scratch folder is not empty");
        }
        killed
    }

    /// The sources are as they were, the vault is sound, and every set of it is whole: the labels of its sets.
    fn judge(&self, root: &Path) -> Vec<String> {
        assert!(files(&root.join("source")) == self.sources, "a source was touched");
        let vault = opened(root);
        assert_eq!(vault.check(Depth::All).unwrap().damage, []);
        let mut labels = Vec::new();
        for listed in vault.sets().unwrap() {
            let listed = listed.unwrap();
            holds(&vault, &listed.id, &root.join("source").join(&listed.made.label));
            labels.push(listed.made.label);
        }
        assert!(labels.iter().any(|label| label == "one"), "a set is lost");
        labels
    }
}

/// Every stream of a set is what lies at the source; its manifest names at least a database.
fn holds(vault: &ResticVault, set: &SetId, source: &Path) {
    let manifest: serde_json::Value = serde_json::from_slice(&vault.manifest(set).unwrap()).unwrap();
    let names: Vec<&str> = manifest["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert!(names.iter().any(|name| name.ends_with(".edb")), "{names:?}");
    for name in names {
        let stream = vault.open_stream(set, &Name::new(name).unwrap()).unwrap();
        let mut bytes = vec![0; usize::try_from(stream.size()).unwrap()];
        assert_eq!(stream.read_at(0, &mut bytes).unwrap(), bytes.len());
        assert!(bytes == fs::read(source.join(name)).unwrap(), "{name} of {} is not what was stored", source.display());
    }
}

fn kill_often(verb: Verb, times: u64, seed: u64) {
    let scene = Scene::of(verb);
    let mut random = Random::new(seed);
    let (mut killed, began) = (0, Instant::now());
    for time in 1..=times {
        killed += u64::from(scene.kill_and_finish(&mut random));
        if time % 50 == 0 {
            println!("{verb:?}: {time} runs, {killed} of them killed, {} seconds", began.elapsed().as_secs());
        }
    }
    assert!(killed * 4 >= times, "{verb:?}: only {killed} of {times} were killed before their end");
}

#[test]
fn a_backup_that_is_killed_publishes_a_whole_set_or_none() {
    kill_often(Verb::Backup, 50, 1);
}

#[test]
fn a_restore_that_is_killed_publishes_all_or_nothing() {
    kill_often(Verb::Restore, 50, 2);
}

#[cfg(feature = "prune")]
#[test]
fn a_prune_that_is_killed_loses_nothing_that_a_set_needs() {
    kill_often(Verb::Prune, 50, 3);
}

#[test]
fn a_forget_that_is_killed_loses_no_other_set() {
    kill_often(Verb::Forget, 50, 4);
}

#[test]
fn a_drill_that_is_killed_leaves_the_set_as_it_is() {
    kill_often(Verb::Drill, 50, 5);
}

#[test]
#[ignore = "takes minutes: cargo xtask crash --vault --kill 1000"]
fn killed_as_often_as_asked() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let (times, seed) = (number("ANCHORLOG_CRASH_KILLS", 1000), number("ANCHORLOG_CRASH_SEED", 1));
    for (verb, seed) in VERBS.iter().zip(seed..) {
        kill_often(*verb, times.div_ceil(VERBS.len() as u64), seed);
    }
}
