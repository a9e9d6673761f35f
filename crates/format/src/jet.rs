//! JET codes: number, symbol, meaning, usual cause, and what to do next (`errors`).

use serde::{Serialize, Serializer};
use std::fmt;

/// A code of Microsoft's engine: negative for errors, positive for warnings, 0 for success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JetCode(pub i32);

/// What is known of a code.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Entry {
    /// The number.
    pub code: i32,
    /// Microsoft's symbol.
    pub symbol: &'static str,
    /// Which kind of trouble it is.
    pub class: Class,
    /// What it means.
    pub meaning: &'static str,
    /// What usually causes it; empty where there is no usual cause.
    pub cause: &'static str,
    /// What to do next.
    pub next: &'static str,
}

/// Kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Fatal for this set of files.
    Fatal,
    /// Data is damaged.
    Damage,
    /// A state that the right step mends.
    State,
    /// The call or the command was wrong.
    Usage,
    /// A resource ran out.
    Resource,
    /// For information.
    Information,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fatal => "fatal for these files",
            Self::Damage => "damage",
            Self::State => "a state that the right step mends",
            Self::Usage => "a wrong call or command",
            Self::Resource => "a resource ran out",
            Self::Information => "for information",
        })
    }
}

/// Declares codes: `NAME = number, "symbol", Class, "meaning", "cause", "next";` gives a constant and a table row each.
macro_rules! codes {
    ($table:ident: $($name:ident = $code:literal, $symbol:literal, $class:ident, $meaning:literal, $cause:literal, $next:literal;)*) => {
        pub(super) const $table: &[Entry] = &[$(Entry {
            code: $code,
            symbol: $symbol,
            class: Class::$class,
            meaning: $meaning,
            cause: $cause,
            next: $next,
        },)*];

        impl JetCode {
            $(#[doc = concat!("`", $symbol, "`: ", $meaning)] pub const $name: Self = Self($code);)*
        }
    };
}

mod backup;
mod calls;
mod database;
mod recovery;
mod system;

const TABLES: [&[Entry]; 5] = [recovery::RECOVERY, database::DATABASE, backup::BACKUP, system::SYSTEM, calls::CALLS];

/// Older names of codes.
const ALIASES: &[(&str, JetCode)] = &[
    ("JET_errDatabaseInconsistent", JetCode::DATABASE_DIRTY_SHUTDOWN),
    ("JET_errIndexTuplesOneColumnOnly", JetCode(-1431)),
    ("JET_errIndexTuplesTextColumnsOnly", JetCode(-1433)),
];

/// Every known code.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    TABLES.into_iter().flatten()
}

impl JetCode {
    /// Reads a code in any of the forms that event logs and tools print (trap O1): `-1216`, `0xFFFFFB40`, `4294966080`, a symbol such
    /// as `JET_errAttachedDatabaseMismatch` (the prefix may be left out), or an error written without its sign. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let number = text.replace('\u{2212}', "-");
        let lower = number.to_ascii_lowercase();
        if let Some(hex) = lower.strip_prefix("0x") {
            return u32::from_str_radix(hex, 16).ok().map(|raw| Self(raw.cast_signed()));
        }
        if let Ok(code) = number.parse::<i32>() {
            let negated = Self(code.saturating_neg());
            let without_sign = code > 0 && Self(code).entry().is_none() && negated.entry().is_some();
            return Some(if without_sign { negated } else { Self(code) });
        }
        if let Ok(raw) = number.parse::<u32>() {
            return Some(Self(raw.cast_signed()));
        }
        Self::by_symbol(text)
    }

    fn by_symbol(text: &str) -> Option<Self> {
        let matches = |symbol: &str| {
            let bare = symbol.trim_start_matches("JET_");
            let plain = bare.get(3..).unwrap_or_default();
            [symbol, bare, plain].iter().any(|form| form.eq_ignore_ascii_case(text))
        };
        entries()
            .find(|entry| matches(entry.symbol))
            .map(|entry| Self(entry.code))
            .or_else(|| ALIASES.iter().find(|(alias, _)| matches(alias)).map(|(_, code)| *code))
    }

    /// What is known of the code.
    #[must_use]
    pub fn entry(self) -> Option<&'static Entry> {
        entries().find(|entry| entry.code == self.0)
    }
    /// Microsoft's symbol; empty for an unknown code.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        self.entry().map_or("", |entry| entry.symbol)
    }
    /// What it means; empty for an unknown code.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.entry().map_or("", |entry| entry.meaning)
    }
    /// What to do next; empty where nothing is known.
    #[must_use]
    pub fn next(self) -> &'static str {
        self.entry().map_or("", |entry| entry.next)
    }
    /// The number as Windows prints it in hexadecimal.
    #[must_use]
    pub const fn unsigned(self) -> u32 {
        self.0.cast_unsigned()
    }
    /// Whether it is an error (warnings are positive).
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 < 0
    }
}

impl fmt::Display for JetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.symbol() {
            "" => write!(f, "{}", self.0),
            symbol => write!(f, "{} {symbol}", self.0),
        }
    }
}

impl Serialize for JetCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn o1_a_code_is_read_in_every_form_that_tools_print() {
        for (forms, code) in [
            (["-1811", "0xfffff8ed", "4294965485", "JET_errFileNotFound"], -1811),
            (["-543", "0xFFFFFDE1", "4294966753", "errRequiredLogFilesMissing"], -543),
            (["\u{2212}1018", "0xfffffc06", "4294966278", "readverifyfailure"], -1018),
            (["-1216", "0xFFFFFB40", "4294966080", " JET_errAttachedDatabaseMismatch "], -1216),
        ] {
            for form in forms {
                assert_eq!(JetCode::parse(form), Some(JetCode(code)), "{form}");
            }
        }
    }

    #[test]
    fn o2_an_error_written_without_its_sign_is_still_found_but_a_warning_stays_one() {
        assert_eq!(JetCode::parse("1018"), Some(JetCode::READ_VERIFY_FAILURE));
        assert_eq!(JetCode::parse("585"), Some(JetCode::WARN_COMMITTED_LOG_FILES_LOST));
        assert_eq!(JetCode::parse("123456"), Some(JetCode(123_456)));
    }

    #[test]
    fn o4_an_old_name_leads_to_the_same_code() {
        assert_eq!(JetCode::parse("JET_errDatabaseInconsistent"), Some(JetCode(-550)));
    }

    #[test]
    fn o6_the_same_trouble_exists_as_a_warning_and_as_an_error() {
        assert_eq!(JetCode(558).meaning(), JetCode::EXISTING_LOG_FILE_HAS_BAD_SIGNATURE.meaning());
        assert_eq!(JetCode(559).meaning(), JetCode::EXISTING_LOG_FILE_IS_NOT_CONTIGUOUS.meaning());
    }

    #[test]
    fn o7_a_missing_file_at_the_start_is_explained_as_a_log() {
        assert!(JetCode::FILE_NOT_FOUND.meaning().contains("log"));
    }

    #[test]
    fn o9_an_index_out_of_order_is_not_called_damage_alone() {
        assert!(JetCode::SECONDARY_INDEX_CORRUPTED.meaning().contains("not damage"));
    }

    #[test]
    fn o10_a_database_mismatch_is_called_a_protection() {
        assert!(JetCode::ATTACHED_DATABASE_MISMATCH.meaning().contains("not damage"));
    }

    #[test]
    fn no_number_and_no_symbol_stands_twice_and_every_row_says_what_to_do() {
        let mut numbers = HashSet::new();
        let mut symbols = HashSet::new();
        for entry in entries() {
            assert!(numbers.insert(entry.code), "{}", entry.code);
            assert!(symbols.insert(entry.symbol), "{}", entry.symbol);
            assert!(entry.meaning.ends_with('.') && entry.next.ends_with('.'), "{}", entry.code);
            assert!(entry.code == -1 || entry.symbol.starts_with("JET_wrn") == (entry.code > 0), "{}", entry.code);
        }
    }

    #[test]
    fn text_that_is_no_code_is_not_taken_for_one() {
        for text in ["", "JET_err", "0x", "err", "99999999999", "0xfffffffff"] {
            assert_eq!(JetCode::parse(text), None, "{text}");
        }
    }
}
