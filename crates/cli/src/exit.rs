//! How the program ends: exit codes, and errors written for the person at 3 a.m.

use anchorlog_format::finding::{Finding, Place, Severity};
use anchorlog_format::jet::JetCode;
use serde_json::json;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; clean.
    Done,
    /// Done, with findings, or by consent to loss or damage.
    Findings,
    /// The command was wrong.
    Usage,
    /// A precondition does not hold; nothing was touched.
    Refused,
    /// It failed; nothing was published.
    Failed,
    /// Interrupted; nothing is half done.
    Interrupted,
    /// What `monitor` ends with: Nagios has codes of its own.
    Nagios(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Failed => 4,
            Exit::Interrupted => 130,
            Exit::Nagios(code) => code,
        })
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Trouble {
    exit: Exit,
    finding: Box<Finding>,
    /// What was found, where that is the reason.
    findings: Vec<Finding>,
    /// What was left as it was.
    untouched: &'static str,
}

impl Trouble {
    /// The command itself is wrong.
    pub fn usage(message: impl Into<String>, hint: &str) -> Self {
        Self {
            exit: Exit::Usage,
            finding: Box::new(told(None, message, hint)),
            findings: Vec::new(),
            untouched: "Nothing was touched.",
        }
    }

    /// A file could not be read.
    pub fn reading(path: &Path, error: &io::Error) -> Self {
        let (jet, hint) = match error.kind() {
            io::ErrorKind::NotFound => (JetCode::FILE_NOT_FOUND, "Check the path."),
            io::ErrorKind::PermissionDenied => {
                (JetCode::FILE_ACCESS_DENIED, "Check the rights; stop the service that uses it, or work on a snapshot.")
            }
            io::ErrorKind::InvalidInput => (JetCode::FILE_INVALID_TYPE, "Run `anchorlog inspect` on it."),
            _ => (JetCode::DISK_IO, "Try again; if it stays, the disk may be failing: copy the file to another one."),
        };
        let exit = if error.kind() == io::ErrorKind::InvalidInput { Exit::Usage } else { Exit::Failed };
        let finding = Finding::error(Place::file(path.display().to_string()), jet, error.to_string()).with_hint(hint);
        Self { exit, finding: Box::new(finding), findings: Vec::new(), untouched: "Nothing was touched." }
    }

    /// A file with a key or a password could not be read, or made: none of the engine's, so that its codes would mislead.
    pub fn key_file(path: &Path, error: &io::Error) -> Self {
        Self::usage(
            format!("the key file {}: {error}", path.display()),
            "Check the path and the rights of the file that was named for the key.",
        )
    }

    /// A precondition does not hold.
    pub fn refused(finding: Finding) -> Self {
        Self { exit: Exit::Refused, finding: Box::new(finding), findings: Vec::new(), untouched: "Nothing was touched." }
    }

    /// It failed on the way.
    pub fn failed(finding: Finding) -> Self {
        Self {
            exit: Exit::Failed,
            finding: Box::new(finding),
            findings: Vec::new(),
            untouched: "Nothing was published, and the sources are as they were.",
        }
    }

    /// It failed in the middle of a change of the vault.
    #[cfg(feature = "prune")]
    pub fn failed_in_vault(finding: Finding) -> Self {
        Self { untouched: "Every set of the vault is as it was: give the same command again.", ..Self::failed(finding) }
    }

    /// A publication in place was begun and not completed.
    pub fn cut_off(finding: Finding) -> Self {
        Self {
            untouched: "The publication in place was begun: give the same command again to complete it.",
            ..Self::failed(finding)
        }
    }

    /// Tells all that led to it as well.
    pub fn because_of(self, findings: Vec<Finding>) -> Self {
        Self { findings, ..self }
    }

    /// The user interrupted it.
    pub fn interrupted() -> Self {
        Self {
            exit: Exit::Interrupted,
            finding: Box::new(told(None, "interrupted", "")),
            findings: Vec::new(),
            untouched: "Nothing was published, and nothing is left half done.",
        }
    }

    /// Writing the output failed; a reader that went away (`| head`) is no error.
    pub fn writing(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        let finding = Finding::error(Place::default(), JetCode::DISK_FULL, format!("the output could not be written: {error}"));
        Self { exit: Exit::Failed, finding: Box::new(finding), findings: Vec::new(), untouched: "Nothing was touched." }
    }

    /// What happened, in a sentence.
    pub fn into_sentence(self) -> String {
        let place = self.finding.place.to_string();
        if place.is_empty() { self.finding.message } else { format!("{place}: {}", self.finding.message) }
    }

    /// Tells it, as text on standard error or as JSON on standard output.
    pub fn report(self, json: bool) -> Exit {
        if json {
            println!("{}", json!({ "error": self.finding, "findings": self.findings, "untouched": self.untouched }));
        } else {
            for finding in &self.findings {
                eprintln!("{}", crate::render::finding(finding));
            }
            eprintln!("{}", crate::render::finding(&self.finding));
            eprintln!("{}", self.untouched);
        }
        self.exit
    }
}

/// An error that stands at no place of a file. An empty hint leaves that of the code, if there is one.
pub fn told(jet: Option<JetCode>, message: impl Into<String>, hint: &str) -> Finding {
    let found = match jet {
        Some(jet) => Finding::error(Place::default(), jet, message),
        None => Finding { severity: Severity::Error, ..Finding::note(Place::default(), message) },
    };
    if hint.is_empty() { found } else { found.with_hint(hint) }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::writing(&error)
    }
}
