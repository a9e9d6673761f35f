use super::*;

fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                pending.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned();
                files.push((name, fs::read(entry.path()).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn file(name: &str, content: &str) -> (String, Vec<u8>) {
    (name.to_owned(), content.as_bytes().to_vec())
}

fn build(work: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        fs::create_dir_all(work.join(name).parent().unwrap()).unwrap();
        fs::write(work.join(name), content).unwrap();
    }
}

#[test]
fn a_result_appears_whole_under_its_name() {
    let parent = tempfile::tempdir().unwrap();
    let work = WorkFolder::begin(parent.path(), "out").unwrap();
    build(work.path(), &[("db/a.edb", "new"), ("log/edb.log", "log")]);
    let target = parent.path().join("out");
    assert!(!target.exists());
    work.publish_as(&target).unwrap();
    assert_eq!(tree(parent.path()), [file("out/db/a.edb", "new"), file("out/log/edb.log", "log")]);
}

#[test]
fn a_result_that_is_given_up_leaves_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let work = WorkFolder::begin(parent.path(), "out").unwrap();
    build(work.path(), &[("a", "half")]);
    drop(work);
    assert_eq!(tree(parent.path()), []);
    drop(WorkFolder::begin(&parent.path().join("not/yet/there"), "out").unwrap());
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0, "folders on the way stay behind");
}

#[test]
fn a_target_with_something_in_it_is_refused_and_stays_as_it_was() {
    let parent = tempfile::tempdir().unwrap();
    build(parent.path(), &[("out/old", "old")]);
    let work = WorkFolder::begin(parent.path(), "out").unwrap();
    build(work.path(), &[("a", "new")]);
    assert_eq!(work.publish_as(&parent.path().join("out")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(tree(parent.path()), [file("out/old", "old")]);
    fs::create_dir(parent.path().join("empty")).unwrap();
    WorkFolder::begin(parent.path(), "x").unwrap().publish_as(&parent.path().join("empty")).unwrap();
}

#[test]
fn leftovers_of_a_run_that_is_gone_are_removed_and_those_of_a_living_one_are_not() {
    let parent = tempfile::tempdir().unwrap();
    let living = WorkFolder::begin(parent.path(), "living").unwrap();
    build(living.path(), &[("a", "busy")]);
    build(parent.path(), &[(".anchorlog-work-gone-1-0/a", "half"), ("mine", "kept")]);
    assert_eq!(remove_leftovers(parent.path()).unwrap(), 1);
    assert!(living.path().join("a").exists() && parent.path().join("mine").exists());
    drop(living);
    assert_eq!(tree(parent.path()), [file("mine", "kept")]);
}

#[test]
fn a_lock_whose_folder_was_published_and_a_draft_of_a_dead_run_are_removed() {
    let parent = tempfile::tempdir().unwrap();
    build(parent.path(), &[(".anchorlog-work-gone-1-0.lock", ""), (".anchorlog-publish.draft", "half"), ("mine", "kept")]);
    remove_leftovers(parent.path()).unwrap();
    assert_eq!(tree(parent.path()), [file("mine", "kept")]);
}

#[test]
fn a_lock_that_is_held_keeps_its_name_from_others() {
    let parent = tempfile::tempdir().unwrap();
    let (first, second) = (WorkFolder::begin(parent.path(), "x").unwrap(), WorkFolder::begin(parent.path(), "x").unwrap());
    assert_ne!(first.path(), second.path());
    assert_eq!(remove_leftovers(parent.path()).unwrap(), 0);
}

#[test]
fn a_publication_that_fails_behind_its_commit_point_keeps_what_completes_it() {
    let root = tempfile::tempdir().unwrap();
    build(root.path(), &[("db/a.edb", "old"), ("log", "a file where a folder must be")]);
    let work = WorkFolder::begin(root.path(), "in-place").unwrap();
    build(work.path(), &[("db/a.edb", "new"), ("log/new.log", "n")]);
    let changes = [Change::Put("db/a.edb".into()), Change::Put("log/new.log".into())];
    assert!(work.publish_over(root.path(), &changes, "before").is_err());
    assert!(is_cut_off(root.path()));
    assert_eq!(remove_leftovers(root.path()).unwrap(), 0);
    fs::remove_file(root.path().join("log")).unwrap();
    assert!(finish_interrupted(root.path()).unwrap());
    assert_eq!(tree(root.path()), [file("before/db/a.edb", "old"), file("db/a.edb", "new"), file("log/new.log", "n")]);
}

fn changes() -> Vec<Change> {
    vec![Change::Put("db/a.edb".into()), Change::Put("log/new.log".into()), Change::Remove("log/reserve".into())]
}

fn originals(root: &Path) {
    build(root, &[("db/a.edb", "old"), ("log/reserve", "r"), ("other", "o")]);
}

fn published(aside: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![
        file(&format!("{aside}/db/a.edb"), "old"),
        file(&format!("{aside}/log/reserve"), "r"),
        file("db/a.edb", "new"),
        file("log/new.log", "n"),
        file("other", "o"),
    ];
    files.sort();
    files
}

#[test]
fn publishing_in_place_sets_the_originals_aside() {
    let root = tempfile::tempdir().unwrap();
    originals(root.path());
    let work = WorkFolder::begin(root.path(), "in-place").unwrap();
    build(work.path(), &[("db/a.edb", "new"), ("log/new.log", "n")]);
    work.publish_over(root.path(), &changes(), "before").unwrap();
    assert_eq!(tree(root.path()), published("before"));
}

#[test]
fn a_crash_between_any_two_renames_is_completed_by_the_next_run() {
    for done in 0..=4 {
        let root = tempfile::tempdir().unwrap();
        originals(root.path());
        let mut work = WorkFolder::begin(root.path(), "in-place").unwrap();
        build(work.path(), &[("db/a.edb", "new"), ("log/new.log", "n")]);
        let (folder, name) = (DiskFolder::new(root.path()), work.path().file_name().unwrap().to_str().unwrap());
        let journal = Journal::new(&folder, name, &changes(), "before").unwrap();
        journal.commit(&folder).unwrap();
        journal.carry_out(&folder, done).unwrap();
        // The process is gone: its lock is released, its files stay.
        work.lock = None;
        std::mem::forget(work);
        assert_eq!(remove_leftovers(root.path()).unwrap(), 0, "an interrupted publication needs its working folder");
        assert!(finish_interrupted(root.path()).unwrap());
        assert_eq!(tree(root.path()), published("before"), "after {done} renames");
        assert!(!finish_interrupted(root.path()).unwrap());
    }
}

#[test]
fn a_crash_before_the_commit_point_leaves_the_old_state() {
    let root = tempfile::tempdir().unwrap();
    originals(root.path());
    let mut work = WorkFolder::begin(root.path(), "in-place").unwrap();
    build(work.path(), &[("db/a.edb", "new"), ("log/new.log", "n")]);
    work.lock = None;
    std::mem::forget(work);
    assert!(!finish_interrupted(root.path()).unwrap());
    assert_eq!(remove_leftovers(root.path()).unwrap(), 1);
    assert_eq!(tree(root.path()), [file("db/a.edb", "old"), file("log/reserve", "r"), file("other", "o")]);
}

#[test]
fn paths_that_lead_out_and_files_that_were_not_built_are_refused_before_anything_changes() {
    let root = tempfile::tempdir().unwrap();
    originals(root.path());
    for path in ["../evil", "/evil", "", "never-built"] {
        let work = WorkFolder::begin(root.path(), "x").unwrap();
        let error = work.publish_over(root.path(), &[Change::Put(path.into())], "before").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
    }
    assert_eq!(tree(root.path()).len(), 3);
}
