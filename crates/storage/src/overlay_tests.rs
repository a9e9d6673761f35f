use super::*;
use crate::disk::DiskFolder;
use crate::read_all;

fn disk() -> (tempfile::TempDir, Arc<DiskFolder>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), vec![7; 10_000]).unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("sub/b"), b"bee").unwrap();
    let base = Arc::new(DiskFolder::read_only(folder.path()));
    (folder, base)
}

fn content(folder: &dyn Folder, path: &str) -> Vec<u8> {
    read_all(&*folder.open(Path::new(path)).unwrap(), 1 << 20).unwrap()
}

fn names(folder: &dyn Folder) -> Vec<String> {
    folder.list().unwrap().iter().map(|entry| format!("{}:{}", entry.path.display(), entry.size)).collect()
}

#[test]
fn changes_are_seen_through_the_overlay_and_never_below_it() {
    let (root, base) = disk();
    let overlay = OverlayFolder::new(base, 1 << 20, None);
    overlay.open_write(Path::new("a")).unwrap().write_at(4000, &[9; 200]).unwrap();
    overlay.create(Path::new("new/c")).unwrap().write_at(3, b"sea").unwrap();
    overlay.rename(Path::new("sub/b"), Path::new("sub/d")).unwrap();
    let a = content(&overlay, "a");
    assert_eq!((a[3999], a[4000], a[4199], a[4200], a.len()), (7, 9, 9, 7, 10_000));
    assert_eq!(content(&overlay, "new/c"), b"\0\0\0sea");
    assert_eq!(content(&overlay, "sub/d"), b"bee");
    assert_eq!(names(&overlay), ["a:10000", "new/c:6", "sub/d:3"]);
    assert_eq!(std::fs::read(root.path().join("a")).unwrap(), vec![7; 10_000]);
    assert!(root.path().join("sub/b").exists() && !root.path().join("new").exists());
}

#[test]
fn a_removed_file_is_gone_and_can_be_made_anew_empty() {
    let (_root, base) = disk();
    let overlay = OverlayFolder::new(base, 1 << 20, None);
    overlay.remove(Path::new("a")).unwrap();
    assert!(!overlay.exists(Path::new("a")));
    assert_eq!(overlay.open(Path::new("a")).map(|_| ()).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(overlay.remove(Path::new("a")).unwrap_err().kind(), io::ErrorKind::NotFound);
    overlay.create(Path::new("a")).unwrap();
    assert_eq!(content(&overlay, "a"), b"");
    assert_eq!(overlay.create(Path::new("a")).map(|_| ()).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn a_file_that_was_cut_and_grown_reads_zeros_where_the_base_had_bytes() {
    let (_root, base) = disk();
    let overlay = OverlayFolder::new(base, 1 << 20, None);
    let file = overlay.open_write(Path::new("a")).unwrap();
    file.write_at(4100, &[9; 10]).unwrap();
    file.set_size(4105).unwrap();
    file.set_size(9000).unwrap();
    let a = content(&overlay, "a");
    assert_eq!((a.len(), a[4099], a[4104]), (9000, 7, 9));
    assert!(a[4105..].iter().all(|&byte| byte == 0));
}

#[test]
fn beyond_its_memory_the_overlay_uses_the_spill_file() {
    let (root, base) = disk();
    let spill = DiskFolder::new(root.path()).create(Path::new("spill")).unwrap();
    let overlay = OverlayFolder::new(base, 2 * BLOCK, Some(spill.clone()));
    let file = overlay.create(Path::new("big")).unwrap();
    let bytes: Vec<u8> = (0..10 * BLOCK).map(|at| u8::try_from(at % 251).unwrap()).collect();
    file.write_at(0, &bytes).unwrap();
    file.write_at(5 * BLOCK as u64 + 7, b"again").unwrap();
    let mut expected = bytes;
    expected[5 * BLOCK + 7..5 * BLOCK + 12].copy_from_slice(b"again");
    assert_eq!(content(&overlay, "big"), expected);
    assert_eq!(spill.size().unwrap(), 8 * BLOCK as u64);
    // Freed slots are used again.
    file.set_size(0).unwrap();
    file.write_at(0, &expected).unwrap();
    assert_eq!(spill.size().unwrap(), 8 * BLOCK as u64);
    assert_eq!(content(&overlay, "big"), expected);
}

#[test]
fn without_a_spill_file_a_write_beyond_the_memory_is_an_error() {
    let overlay = OverlayFolder::in_memory(BLOCK);
    let file = overlay.create(Path::new("x")).unwrap();
    file.write_at(0, &[1; BLOCK]).unwrap();
    assert_eq!(file.write_at(BLOCK as u64, &[1]).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
}

#[test]
fn a_file_opened_for_reading_sees_later_changes_and_takes_none() {
    let (_root, base) = disk();
    let overlay = OverlayFolder::new(base, 1 << 20, None);
    overlay.open_write(Path::new("a")).unwrap();
    let reader = overlay.open(Path::new("a")).unwrap();
    overlay.open_write(Path::new("a")).unwrap().write_at(0, b"now").unwrap();
    let mut head = [0; 3];
    reader.read_at(0, &mut head).unwrap();
    assert_eq!(&head, b"now");
    assert_eq!(reader.write_at(0, b"x").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn random_changes_give_the_same_bytes_as_a_plain_buffer() {
    let overlay = OverlayFolder::in_memory(1 << 20);
    let file = overlay.create(Path::new("model")).unwrap();
    let mut model: Vec<u8> = Vec::new();
    let mut seed = 1_u32;
    let mut next = |limit: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % limit
    };
    for step in 0..400_u32 {
        let at = next(20_000) as usize;
        if step % 7 == 0 {
            file.set_size(at as u64).unwrap();
            model.resize(at, 0);
        } else {
            let bytes = vec![u8::try_from(step % 256).unwrap(); next(9000) as usize];
            file.write_at(at as u64, &bytes).unwrap();
            model.resize(model.len().max(at + bytes.len()), 0);
            model[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        assert_eq!(content(&overlay, "model"), model, "step {step}");
    }
}
