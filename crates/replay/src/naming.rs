//! Which file a logged database name means: by file name and signature, never by drive path (`log-5 §15`).

use anchorlog_format::units::Signature;
use std::path::{Path, PathBuf};

/// A database file that may be meant by a logged name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where it lies, below the folder of the run.
    pub path: PathBuf,
    /// Its database signature; `None` where its header cannot be read.
    pub signature: Option<Signature>,
}

/// The files at hand, and what the user said of them.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// Database files.
    pub candidates: Vec<Candidate>,
    /// `NAME=PATH` as the user gave them: NAME is a logged path or its end.
    pub map: Vec<(String, PathBuf)>,
}

impl Naming {
    /// The file that a logged path means: what the user mapped; else the file of that name, the one of the right signature first;
    /// else a file of the right signature under a name that the log does not know.
    #[must_use]
    pub fn resolve(&self, logged: &str, signature: &Signature) -> Option<&Path> {
        if let Some((_, path)) = self.map.iter().find(|(name, _)| ends_with(logged, name)) {
            return Some(path);
        }
        let own = file_name(logged);
        let named = || self.candidates.iter().filter(|candidate| name_of(&candidate.path).eq_ignore_ascii_case(own));
        let signed = |candidate: &&Candidate| candidate.signature.as_ref() == Some(signature);
        let found = named().find(signed).or_else(|| named().next()).or_else(|| self.candidates.iter().find(signed));
        found.map(|candidate| candidate.path.as_path())
    }
    /// The file of a set that a logged path means, by what it is and not by its name; else where the user wants a database of that name to be
    /// made.
    #[must_use]
    pub fn resolve_signed(&self, logged: &str, signature: &Signature) -> Option<&Path> {
        let signed = self.candidates.iter().find(|candidate| candidate.signature.as_ref() == Some(signature));
        let mapped = || self.map.iter().find(|(name, _)| ends_with(logged, name)).map(|(_, path)| path.as_path());
        signed.map(|candidate| candidate.path.as_path()).or_else(mapped)
    }
    /// Where a database is made that the log creates and no file stands for: where the user mapped it; else in the folder that lies to
    /// the logs here as its logged folder lay to the logs there; its logged name is kept.
    #[must_use]
    pub fn place_for(&self, logged: &str, logged_logs: &str, logs: &Path) -> PathBuf {
        if let Some((_, path)) = self.map.iter().find(|(name, _)| ends_with(logged, name)) {
            return path.clone();
        }
        let name = safe_name(file_name(logged));
        let beside = self.candidates.first().and_then(|candidate| candidate.path.parent());
        match beside {
            Some(folder) => folder.join(name),
            None => relative(folder_of(logged), logged_logs, logs).unwrap_or_default().join(name),
        }
    }
    /// A file that a run made: later records mean it.
    pub fn add(&mut self, path: PathBuf, signature: Signature) {
        self.candidates.retain(|candidate| candidate.path != path);
        self.candidates.push(Candidate { path, signature: Some(signature) });
    }
}

/// The last part of a logged path: Windows separators, whatever machine this is.
#[must_use]
pub fn file_name(logged: &str) -> &str {
    logged.rsplit(['\\', '/', ':']).next().unwrap_or(logged)
}

/// The folder of a logged path.
fn folder_of(logged: &str) -> &str {
    logged.strip_suffix(file_name(logged)).unwrap_or("")
}

/// The folder that lies to `logs` as the logged folder lies to the logged folder of the logs; `None` where that is not below the root.
fn relative(folder: &str, logged_logs: &str, logs: &Path) -> Option<PathBuf> {
    let parts = |path: &str| -> Vec<String> {
        path.to_lowercase().split(['\\', '/']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (there, from) = (parts(folder), parts(logged_logs));
    let common = there.iter().zip(&from).take_while(|(a, b)| a == b).count();
    if common == 0 {
        return None;
    }
    let mut place = logs.to_path_buf();
    for _ in common..from.len() {
        if !place.pop() {
            return None;
        }
    }
    for part in there.get(common..)? {
        place.push(safe_name(part));
    }
    Some(place)
}

/// Names that logs hold are never trusted as names here (trap G49).
fn safe_name(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() || "<>:\"|?*\\/".contains(c) { '_' } else { c }).collect();
    match clean.as_str() {
        "" | "." | ".." => "database.edb".into(),
        _ => clean,
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether `name` is the logged path or its end, at a separator.
fn ends_with(logged: &str, name: &str) -> bool {
    let normal = |text: &str| text.replace('/', "\\").to_lowercase();
    let (logged, name) = (normal(logged), normal(name));
    logged.strip_suffix(&name).is_some_and(|rest| rest.is_empty() || name.starts_with('\\') || rest.ends_with(['\\', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchorlog_format::units::LogTime;

    fn signature(random: u32) -> Signature {
        Signature::new(random, LogTime::NONE)
    }
    fn naming() -> Naming {
        let candidate = |path: &str, random| Candidate { path: path.into(), signature: Some(signature(random)) };
        Naming {
            candidates: vec![candidate("a/db1.edb", 1), candidate("b/DB1.EDB", 2), candidate("b/moved.edb", 3)],
            map: vec![],
        }
    }

    #[test]
    fn the_file_of_that_name_and_signature_is_meant_wherever_it_lies() {
        assert_eq!(naming().resolve(r"R:\db\db1.edb", &signature(2)), Some(Path::new("b/DB1.EDB")));
        assert_eq!(naming().resolve(r"R:\db\db1.edb", &signature(9)), Some(Path::new("a/db1.edb")));
        assert_eq!(naming().resolve(r"R:\db\other.edb", &signature(3)), Some(Path::new("b/moved.edb")));
        assert_eq!(naming().resolve(r"R:\db\other.edb", &signature(9)), None);
    }

    #[test]
    fn the_users_word_comes_first_and_names_the_end_of_a_path() {
        let mut naming = naming();
        naming.map.push(("db/DB1.edb".into(), "elsewhere.edb".into()));
        assert_eq!(naming.resolve(r"R:\db\db1.edb", &signature(1)), Some(Path::new("elsewhere.edb")));
        assert_eq!(naming.resolve(r"R:\mydb\db1.edb", &signature(1)), Some(Path::new("a/db1.edb")));
    }

    #[test]
    fn o13_a_database_of_a_set_is_what_its_signature_says_whatever_its_name() {
        let mut naming = naming();
        naming.map.push(("new.edb".into(), "made/new.edb".into()));
        assert_eq!(naming.resolve_signed(r"R:\db\db1.edb", &signature(3)), Some(Path::new("b/moved.edb")));
        assert_eq!(naming.resolve_signed(r"R:\db\db1.edb", &signature(9)), None);
        assert_eq!(naming.resolve_signed(r"R:\db\new.edb", &signature(9)), Some(Path::new("made/new.edb")));
    }

    #[test]
    fn g49_a_logged_name_never_leads_out_of_its_folder() {
        let naming = Naming::default();
        assert_eq!(naming.place_for(r"R:\db\..", r"C:\log", Path::new("log")), Path::new("database.edb"));
        assert_eq!(naming.place_for("R:/x/a?b.edb", "", Path::new("")), Path::new("a_b.edb"));
    }

    #[test]
    fn a_database_is_made_where_it_lay_as_seen_from_the_logs() {
        let place = |logged, logs| Naming::default().place_for(logged, r"R:\log\", Path::new(logs));
        assert_eq!(place(r"R:\db\db1.edb", "log"), Path::new("db/db1.edb"));
        assert_eq!(place(r"R:\log\db1.edb", "a/log"), Path::new("a/log/db1.edb"));
        assert_eq!(place(r"X:\far\away\db1.edb", "log"), Path::new("db1.edb"));
    }
}
