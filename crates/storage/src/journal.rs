//! A publication over existing files, written down before it is done: the journal's own rename is the commit point.
//!
//! Every step is a rename, and sees from the files whether it was done before: whoever finds the journal after a crash can carry it out.

use crate::{Folder, open_or_create, read_all};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Its name in the folder over which is published.
pub const JOURNAL: &str = ".anchorlog-publish";
/// Its name while it is being written.
pub const DRAFT: &str = ".anchorlog-publish.draft";
const JOURNAL_HEAD: &str = "anchorlog publish 1";
/// Bytes that no journal exceeds.
const SIZE_MAX: u64 = 64 << 20;

/// One change that a publication makes; paths are relative to the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The file of the working folder takes this place; what stood there is set aside.
    Put(PathBuf),
    /// The file that stands there is set aside, and nothing takes its place.
    Remove(PathBuf),
}

/// What a publication over a folder does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The folder of the new files, directly in the folder over which is published.
    pub work: String,
    /// The folder for the old ones, beside it.
    pub aside: String,
    /// What is done.
    pub changes: Vec<Change>,
}

impl Journal {
    /// Checks what is to be done.
    ///
    /// # Errors
    /// `AlreadyExists` where another publication was interrupted; `InvalidInput` for a path that leads out of the folder or a file that
    /// was not built; any error of the storage.
    pub fn new(root: &dyn Folder, work: &str, changes: &[Change], aside: &str) -> io::Result<Self> {
        let invalid = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if there(root, Path::new(JOURNAL))? {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "an unfinished publication is there"));
        }
        for change in changes {
            let (Change::Put(path) | Change::Remove(path)) = change;
            let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
            if !inside || path.to_str().is_none() || path.as_os_str().is_empty() {
                return invalid(format!("{} cannot be published", path.display()));
            }
            if matches!(change, Change::Put(_)) && !there(root, &Path::new(work).join(path))? {
                return invalid(format!("{} was not built", path.display()));
            }
        }
        Ok(Self { work: work.to_owned(), aside: aside.to_owned(), changes: changes.to_vec() })
    }

    /// The journal of an interrupted publication; `None` where there is none.
    ///
    /// # Errors
    /// `InvalidData` for a journal that is none of ours; any error of the storage.
    pub fn read(root: &dyn Folder) -> io::Result<Option<Self>> {
        let file = match root.open(Path::new(JOURNAL)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let bytes = read_all(&*file, SIZE_MAX)?;
        let journal = std::str::from_utf8(&bytes).ok().and_then(Self::from_text);
        journal.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{JOURNAL} cannot be read")))
    }

    /// The commit point: from here on the publication is completed, by us or by whoever finds the journal. The new files must be durable.
    ///
    /// # Errors
    /// Any error of the storage.
    pub fn commit(&self, root: &dyn Folder) -> io::Result<()> {
        let text = self.to_text();
        let draft = open_or_create(root, Path::new(DRAFT))?;
        draft.set_size(text.len() as u64)?;
        draft.write_at(0, text.as_bytes())?;
        draft.sync()?;
        root.rename(Path::new(DRAFT), Path::new(JOURNAL))?;
        root.sync()
    }

    /// Does what is not yet done, and removes the journal once that is durable. Stops after `limit` renames, for tests.
    ///
    /// # Errors
    /// Any error of the storage; the journal is there then, and the publication can be carried out again.
    pub fn carry_out(&self, root: &dyn Folder, limit: usize) -> io::Result<()> {
        let (work, aside) = (Path::new(&self.work), Path::new(&self.aside));
        let mut renames = 0;
        for change in &self.changes {
            let (Change::Put(path) | Change::Remove(path)) = change;
            let (old, new) = (aside.join(path), work.join(path));
            let (put, built) = (matches!(change, Change::Put(_)), there(root, &new)?);
            let steps = [((!put || built) && there(root, path)? && !there(root, &old)?, path, &old), (put && built, &new, path)];
            for (_, from, to) in steps.into_iter().filter(|(wanted, ..)| *wanted) {
                if renames == limit {
                    return Ok(());
                }
                root.rename(from, to)?;
                renames += 1;
            }
        }
        root.sync()?;
        if renames == limit {
            return Ok(());
        }
        root.remove(Path::new(JOURNAL))?;
        root.sync()
    }

    fn to_text(&self) -> String {
        let mut text = format!("{JOURNAL_HEAD}\nwork {}\naside {}\n", escape(&self.work), escape(&self.aside));
        for change in &self.changes {
            let (verb, path) = match change {
                Change::Put(path) => ("put", path),
                Change::Remove(path) => ("remove", path),
            };
            text.push_str(&format!("{verb} {}\n", escape(&path.to_string_lossy())));
        }
        text.push_str("end\n");
        text
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix("end\n")?.lines();
        if lines.next()? != JOURNAL_HEAD {
            return None;
        }
        let work = unescape(lines.next()?.strip_prefix("work ")?);
        let aside = unescape(lines.next()?.strip_prefix("aside ")?);
        let changes = lines.map(|line| {
            let (verb, path) = line.split_once(' ')?;
            let path = PathBuf::from(unescape(path));
            match verb {
                "put" => Some(Change::Put(path)),
                "remove" => Some(Change::Remove(path)),
                _ => None,
            }
        });
        Some(Self { work, aside, changes: changes.collect::<Option<_>>()? })
    }
}

/// Whether a file is there; what cannot be said is an error, for a step done twice would lose what was set aside.
fn there(root: &dyn Folder, path: &Path) -> io::Result<bool> {
    match root.open(path) {
        Ok(_) => Ok(true),
        // A file where a folder is on the way.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D")
}

fn unescape(text: &str) -> String {
    text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_survives_names_with_line_breaks_and_refuses_half_a_text() {
        let journal = Journal {
            work: ".anchorlog-work-x".into(),
            aside: "before 50%0A".into(),
            changes: vec![Change::Put("a\nb".into()), Change::Remove("c".into())],
        };
        let text = journal.to_text();
        assert_eq!(Journal::from_text(&text), Some(journal));
        assert_eq!(Journal::from_text(&text[..text.len() - 2]), None);
    }
}
