//! Names of the files of a log stream (`log-1 §1`).

use crate::units::Generation;

/// Largest generation for ordinary logging; behind it only what a shutdown needs.
pub const GENERATION_MAX: Generation = Generation(0x7FFF_F800);
/// Largest generation while recovering.
pub const GENERATION_MAX_RECOVERY: Generation = Generation(0x7FFF_FA00);
/// Largest generation that is written with five digits.
const FIVE_DIGITS_MAX: u32 = 0xF_FFFF;

/// Which extensions a stream has; logs and checkpoint change together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extension {
    /// `.log` and `.chk`.
    Log,
    /// `.jtx` and `.jcp`.
    Jtx,
}

impl Extension {
    /// Extension of the logs, without dot.
    #[must_use]
    pub const fn log(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Jtx => "jtx",
        }
    }
    /// Extension of the checkpoint, without dot.
    #[must_use]
    pub const fn checkpoint(self) -> &'static str {
        match self {
            Self::Log => "chk",
            Self::Jtx => "jcp",
        }
    }
    fn of_log(text: &str) -> Option<Self> {
        [Self::Log, Self::Jtx].into_iter().find(|extension| extension.log() == text)
    }
    fn of_checkpoint(text: &str) -> Option<Self> {
        [Self::Log, Self::Jtx].into_iter().find(|extension| extension.checkpoint() == text)
    }
}

/// What a file of a stream is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The log being written; its generation stands only in its header.
    Current(Extension),
    /// An archived log.
    Archive {
        /// Its generation, by name.
        generation: Generation,
        /// Whether the name has eight digits, not five.
        wide: bool,
        /// Its extension.
        extension: Extension,
    },
    /// The next log in preparation: never to be trusted (trap G24).
    Temporary(Extension),
    /// A reserve log.
    Reserve,
    /// The checkpoint.
    Checkpoint(Extension),
    /// A log received from elsewhere, incomplete.
    Shadow {
        /// Its generation, by name.
        generation: Generation,
    },
}

/// A file name of a log stream, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName {
    /// Base name, three characters, as the file has it; empty for `res1.log` and `res2.log`, which name no stream.
    pub base: String,
    /// What the file is.
    pub role: Role,
}

/// Takes a file name (no path) apart; `None` for a file that belongs to no log stream. Case does not matter.
#[must_use]
pub fn parse(name: &str) -> Option<StreamName> {
    let lower = name.to_ascii_lowercase();
    let (stem, extension) = lower.rsplit_once('.')?;
    if matches!((stem, extension), ("res1" | "res2", "log")) {
        return Some(StreamName { base: String::new(), role: Role::Reserve });
    }
    let base_end = stem.char_indices().nth(3).map_or(stem.len(), |(at, _)| at);
    let (base, rest) = stem.split_at(base_end);
    if base.chars().count() != 3 {
        return None;
    }
    let role = role(rest, extension)?;
    Some(StreamName { base: name.get(..base_end)?.to_owned(), role })
}

fn role(rest: &str, extension: &str) -> Option<Role> {
    if let Some(extension) = Extension::of_checkpoint(extension) {
        return rest.is_empty().then_some(Role::Checkpoint(extension));
    }
    if extension == "jrs" {
        let digits = rest.strip_prefix("res")?;
        return (digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(Role::Reserve);
    }
    if extension == "jsl" {
        return (rest.len() == 8).then(|| number(rest))?.map(|generation| Role::Shadow { generation });
    }
    let extension = Extension::of_log(extension)?;
    match rest {
        "" => Some(Role::Current(extension)),
        "tmp" => Some(Role::Temporary(extension)),
        digits if matches!(digits.len(), 5 | 8) => {
            Some(Role::Archive { generation: number(digits)?, wide: digits.len() == 8, extension })
        }
        _ => None,
    }
}

fn number(digits: &str) -> Option<Generation> {
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?.map(Generation)
}

/// How a stream names its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// Base name, three characters.
    pub base: String,
    /// Extensions.
    pub extension: Extension,
    /// Whether archived logs always have eight digits; otherwise five as long as they suffice.
    pub wide: bool,
}

impl Naming {
    /// Name of the current log.
    #[must_use]
    pub fn current(&self) -> String {
        format!("{}.{}", self.base, self.extension.log())
    }
    /// Name of an archived log.
    #[must_use]
    pub fn archive(&self, generation: Generation) -> String {
        let width = if self.wide || generation.0 > FIVE_DIGITS_MAX { 8 } else { 5 };
        format!("{}{:0width$X}.{}", self.base, generation.0, self.extension.log())
    }
    /// Name of the next log in preparation.
    #[must_use]
    pub fn temporary(&self) -> String {
        format!("{}tmp.{}", self.base, self.extension.log())
    }
    /// Name of the checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        format!("{}.{}", self.base, self.extension.checkpoint())
    }
    /// Name of a reserve log, from 1.
    #[must_use]
    pub fn reserve(&self, number: u32) -> String {
        format!("{}res{number:05}.jrs", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role_of(name: &str) -> Option<Role> {
        parse(name).map(|name| name.role)
    }

    #[test]
    fn names_of_each_kind_are_recognised_in_any_case() {
        let archive = |generation, wide, extension| Some(Role::Archive { generation: Generation(generation), wide, extension });
        assert_eq!(role_of("edb.log"), Some(Role::Current(Extension::Log)));
        assert_eq!(role_of("E00.JTX"), Some(Role::Current(Extension::Jtx)));
        assert_eq!(role_of("edb0001A.log"), archive(0x1a, false, Extension::Log));
        assert_eq!(role_of("E000000001a.jtx"), archive(0x1a, true, Extension::Jtx));
        assert_eq!(role_of("edbtmp.log"), Some(Role::Temporary(Extension::Log)));
        assert_eq!(role_of("edbres00001.jrs"), Some(Role::Reserve));
        assert_eq!(role_of("res2.log"), Some(Role::Reserve));
        assert_eq!(role_of("edb.chk"), Some(Role::Checkpoint(Extension::Log)));
        assert_eq!(role_of("edb00000012.jsl"), Some(Role::Shadow { generation: Generation(0x12) }));
        assert_eq!(parse("Edb00001.LOG").map(|name| name.base), Some("Edb".into()));
    }

    #[test]
    fn other_names_belong_to_no_stream() {
        for name in [
            "edb",
            "edb.edb",
            "edb001.log",
            "edb000001.log",
            "edb0000g.log",
            "edb+0001.log",
            "ed.log",
            "edbres1.jrs",
            "é.log",
            "ééé1.log",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
        assert!(parse("ééé00001.log").is_some());
    }

    // traps G25, S16
    #[test]
    fn g25_five_digits_up_to_fffff_and_order_by_value() {
        let naming = Naming { base: "edb".into(), extension: Extension::Log, wide: false };
        assert_eq!(naming.archive(Generation(0xFFFFF)), "edbFFFFF.log");
        assert_eq!(naming.archive(Generation(0x10_0000)), "edb00100000.log");
        assert_eq!(Naming { wide: true, ..naming.clone() }.archive(Generation(1)), "edb00000001.log");
        let (before, after) = (role_of("edbFFFFF.log"), role_of("edb00100000.log"));
        assert!(before < after);
        assert_eq!(
            (naming.current(), naming.temporary(), naming.checkpoint()),
            ("edb.log".into(), "edbtmp.log".into(), "edb.chk".into())
        );
    }
}
