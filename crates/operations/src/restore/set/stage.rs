//! From the vault into the working folder: every byte hashed, every page verified on the way (P57).

use super::error::{Error, storage};
use super::plan::{Item, Origin, Plan};
use super::stored::{Origins, Over, Stored, StreamError};
use super::target;
use crate::backup::{PageCheck, judge_pages};
use crate::identify::Content;
use crate::recover::Progress;
use crate::sets::Role;
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_storage::disk;
use anchorlog_storage::publish::WorkFolder;
use anchorlog_storage::{DiskFolder, Folder as _};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Fills the working folder. Returns the BLAKE3 of every file, and where the bytes came from where a copy was at hand.
pub(super) fn stage(
    plan: &Plan,
    work: &WorkFolder,
    progress: &mut dyn Progress,
) -> Result<(BTreeMap<String, String>, Option<Origins>), Error> {
    go_on(progress.phase("copying", plan.files.len()))?;
    let (mut digests, mut origins) = (BTreeMap::new(), plan.options.onto.as_ref().map(|_| Origins::default()));
    for (at, item) in plan.files.iter().enumerate() {
        let shown = item.place.display().to_string();
        go_on(progress.step(&shown, at, plan.files.len()))?;
        let digest = match &item.origin {
            Origin::Stored(stored) => {
                let mut over = target::copy_at_hand(plan.options.onto.as_deref(), &item.place, &plan.restored)
                    .map(|file| Over { file, origins: Origins::default() });
                let digest = from_vault(plan, item, stored, over.as_mut(), work.path(), progress)?;
                if let Some(origins) = &mut origins {
                    let came = over.map_or(Origins { from_vault: item.size, ..Origins::default() }, |over| over.origins);
                    origins.from_copy += came.from_copy;
                    origins.from_vault += came.from_vault;
                }
                digest
            }
            Origin::Disk(path) => from_disk(item, path, work.path(), progress)?,
        };
        digests.insert(shown, digest_text(&digest));
    }
    Ok((digests, origins))
}

/// A hash as reports of restored sets have it.
pub(crate) fn digest_text(blake3: &[u8; 32]) -> String {
    format!("blake3:{}", hex::encode(blake3))
}

pub(in crate::restore) fn go_on(answer: bool) -> Result<(), Error> {
    if answer { Ok(()) } else { Err(Error::Interrupted) }
}

/// A new file that nobody else may read before it has its owner's rights; folders on the way are made.
pub(super) fn create(path: &Path) -> io::Result<fs::File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes a stream of a set, and hashes it. Holes stay holes. `None`: `each` ended it.
pub(crate) fn write(
    stored: &Stored,
    to: &Path,
    each: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Option<(u64, [u8; 32])>, StreamError> {
    write_over(stored, None, to, each)
}

/// The same, out of a copy at hand as far as that is as the set has it.
fn write_over(
    stored: &Stored,
    over: Option<&mut Over>,
    to: &Path,
    each: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<Option<(u64, [u8; 32])>, StreamError> {
    let file = disk::opened(create(to)?);
    let mut size = 0_u64;
    let write = |offset: u64, bytes: &[u8]| {
        let is_hole = bytes.iter().all(|&byte| byte == 0);
        if is_hole { Ok(()) } else { file.write_at(offset, bytes) }
    };
    let mut take = |bytes: &[u8]| {
        size += bytes.len() as u64;
        each(bytes)
    };
    let digest = match over {
        Some(over) => stored.stream_over(over, &write, &mut take)?,
        None => stored.stream(&write, &mut take)?,
    };
    file.set_size(size)?;
    Ok(digest.map(|digest| (size, digest)))
}

fn from_vault(
    plan: &Plan,
    item: &Item,
    stored: &Stored,
    over: Option<&mut Over>,
    work: &Path,
    progress: &mut dyn Progress,
) -> Result<[u8; 32], Error> {
    let to = work.join(&item.place);
    let damaged = |reason: String, findings: Vec<Finding>| Error::Damaged {
        set: stored.set.to_string(),
        stream: stored.name.to_string(),
        reason,
        findings,
    };
    let source = plan.sources.get(&item.place).map(|source| &source.identified.content);
    let mut pages = match source {
        Some(Content::Database { page, .. }) => Some(PageCheck::new(stored.name.as_str(), page, stored.open())),
        _ => None,
    };
    let written = write_over(stored, over, &to, &mut |bytes| {
        if let Some(pages) = &mut pages {
            pages.take(bytes);
        }
        progress.goes_on()
    });
    let (size, digest) = match written {
        Ok(Some(written)) => written,
        Ok(None) => return Err(Error::Interrupted),
        Err(StreamError::Vault(anchorlog_vault::Error::Damaged(damage))) => {
            return Err(damaged(damage.to_string(), Vec::new()));
        }
        Err(StreamError::Vault(error)) => return Err(error.into()),
        Err(StreamError::Written(error)) => return Err(storage(to.display().to_string())(error)),
    };
    if size != item.size || item.blake3.is_some_and(|wanted| wanted != digest) {
        let wanted = item.blake3.map(hex::encode).unwrap_or_default();
        let reason = format!(
            "it reads back with {size} bytes and the BLAKE3 {}, but {} bytes with {wanted} were stored",
            hex::encode(digest),
            item.size
        );
        return Err(damaged(reason, Vec::new()));
    }
    let Some(pages) = pages else { return Ok(digest) };
    let (seen, same_header) = pages.end();
    if !same_header {
        return Err(damaged("its header is another one than was planned with".into(), Vec::new()));
    }
    // A dirty database may have pages that only replay makes whole; the proof of the result tells.
    let dirty = plan.is_dirty(&item.place);
    if dirty || plan.options.keep_damage {
        return Ok(digest);
    }
    // A file that ends too early, or a header that contradicts its pages, is nothing that unused pages explain (trap O27).
    if !seen.of_file.is_empty() {
        return Err(damaged(first(&seen.of_file), seen.of_file));
    }
    let mut findings = seen.findings;
    findings.retain(|finding| finding.severity == Severity::Error);
    if findings.is_empty() {
        return Ok(digest);
    }
    // Pages that nothing uses may hold anything: the whole database tells.
    let file = DiskFolder::read_only(work).open(&item.place).map_err(storage(to.display().to_string()))?;
    let judged = judge_pages(stored.name.as_str(), file, &mut || progress.goes_on());
    let errors = judged.map(|all| all.into_iter().filter(|finding| finding.severity == Severity::Error).collect::<Vec<_>>());
    match errors {
        Some(errors) if errors.is_empty() => Ok(digest),
        Some(errors) => Err(damaged(first(&errors), errors)),
        None => Err(damaged(first(&findings), findings)),
    }
}

fn first(findings: &[Finding]) -> String {
    findings.first().map_or_else(String::new, |first| format!("{}: {}", first.place, first.message))
}

fn from_disk(item: &Item, path: &Path, work: &Path, progress: &mut dyn Progress) -> Result<[u8; 32], Error> {
    let shown = path.display().to_string();
    let mut digest = blake3::Hasher::new();
    let before = stamp(path);
    let copied = anchorlog_storage::copy::copy_file(path, &work.join(&item.place), &mut |bytes| {
        digest.update(bytes);
        progress.goes_on()
    });
    copied.map_err(storage(shown.clone()))?;
    let digest: [u8; 32] = digest.finalize().into();
    let same = stamp(path) == before && before.is_some_and(|(size, _)| size == item.size);
    if !same || item.blake3.is_some_and(|wanted| wanted != digest) {
        let error = io::Error::new(io::ErrorKind::ResourceBusy, "it was changed since it was looked at: stop what writes it");
        return Err(Error::Storage(shown, error));
    }
    Ok(digest)
}

/// Size and time of the last change.
fn stamp(path: &Path) -> Option<(u64, std::time::SystemTime)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// Gives back who a file belonged to, and when it was changed, as far as the platform lets us. Returns what could not be given back.
pub(super) fn give_back(path: &Path, owner: &crate::sets::Owner, role: Role, unchanged: bool) -> Vec<String> {
    let mut not = Vec::new();
    let mut tell = |what: &str, done: io::Result<()>| {
        if let Err(error) = done {
            not.push(format!("{what} of {}: {error}", path.display()));
        }
    };
    rights(path, owner, &mut tell);
    if unchanged
        && role != Role::Checkpoint
        && let Some(modified) = owner.modified.as_deref().and_then(time_of)
    {
        let set = fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_modified(modified));
        tell("time", set);
    }
    not
}

fn time_of(text: &str) -> Option<std::time::SystemTime> {
    let (seconds, nanos) = text.split_once('.')?;
    let since = std::time::Duration::new(seconds.parse().ok()?, nanos.parse().ok()?);
    std::time::UNIX_EPOCH.checked_add(since)
}

#[cfg(unix)]
fn rights(path: &Path, owner: &crate::sets::Owner, tell: &mut dyn FnMut(&str, io::Result<()>)) {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let Ok(now) = fs::metadata(path) else { return };
    let other = |wanted: Option<u32>, has: u32| wanted.filter(|wanted| *wanted != has);
    let (uid, gid) = (other(owner.uid, now.uid()), other(owner.gid, now.gid()));
    if uid.is_some() || gid.is_some() {
        tell("owner", std::os::unix::fs::chown(path, uid, gid));
    }
    if let Some(mode) = owner.mode {
        // The file stays writable for its owner: databases and logs are written on.
        tell("mode", fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o777 | 0o200)));
    }
    // Behind the mode, which would change the list.
    if let Some(acl) = owner.acl.as_deref().and_then(|acl| hex::decode(acl).ok()) {
        tell("access control list", xattr::set(path, crate::sets::Owner::ACL, &acl));
    }
}

#[cfg(not(unix))]
fn rights(_: &Path, _: &crate::sets::Owner, _: &mut dyn FnMut(&str, io::Result<()>)) {}
