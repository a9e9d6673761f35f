//! A `Restore.env` as people read it.

use super::Section;
use crate::restore::Environment;
use crate::restore::environment::{DatabaseRecord, SetRecord, Status};
use anchorlog_format::layout::Shown;

/// The document, then its sets and databases; its logs are told as a range.
pub(super) fn sections(environment: &Environment) -> Vec<Section> {
    let mut sections = vec![whole(environment)];
    sections.extend(environment.sets.iter().enumerate().map(|(at, set)| set_section(at + 1, set)));
    sections.extend(environment.databases.iter().map(database_section));
    sections
}

fn whole(environment: &Environment) -> Section {
    let mut section = Section::new("restore");
    let mut row = |name: &str, value: &str, meaning: &'static str| {
        if !value.is_empty() {
            section.derived(name, Shown::Text(value.to_owned()), meaning);
        }
    };
    row("status", status(environment.status), "how far the restore has come");
    row("status time", &environment.status_time, "when that was written");
    row("error", &environment.error.map(|code| code.to_string()).unwrap_or_default(), "Microsoft's code of the last failure");
    row("annotation", &environment.annotation, "what people call it");
    row("server", &environment.server, "for which it is restored");
    row("source instance", &environment.source_instance, "from which the sets came");
    row("target instance", environment.target_instance.as_deref().unwrap_or_default(), "whose logs may continue the sets");
    row("original log path", &environment.original_log_path, "where the logs lay");
    row("original system path", &environment.original_system_path, "where the checkpoint lay");
    row("base name", &environment.base_name, "of the logs");
    row("log signature", &environment.log_signature, "of the log stream");
    let range = format!("{:#x} to {:#x}", environment.low, environment.high);
    row("generations", &range, "from the first that the databases need to the last of the sets");
    row("logs", &environment.logs.len().to_string(), "that came with the sets");
    row("restore path", &environment.restore_path, "where the logs of the sets wait");
    row("log path", &environment.log_path, "where recovery writes its logs");
    row("system path", &environment.system_path, "where recovery writes its checkpoint");
    row("last restore", environment.last_restore.as_deref().unwrap_or_default(), "when the databases were recovered");
    row("end", environment.end.as_deref().unwrap_or_default(), "behind the last record that was replayed");
    row("software", &environment.software, "that wrote this");
    section
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Waiting => "waiting: more sets may follow; `anchorlog recover --hard` ends it",
        Status::Started => "started, and not seen to end: `anchorlog recover --hard` begins anew",
        Status::Failed => "failed: the files are as they were; `anchorlog recover --hard` tries again",
        Status::Done => "done: the databases are recovered and take no more logs",
    }
}

fn set_section(number: usize, set: &SetRecord) -> Section {
    let mut section = Section::new(&format!("set {number}"));
    section.derived("source", Shown::Text(set.source.clone()), "its folder");
    section.derived("databases", Shown::Unsigned(set.databases as u64), "that it held");
    section.derived("logs", Shown::Unsigned(set.logs as u64), "that it held");
    section
}

fn database_section(database: &DatabaseRecord) -> Section {
    let mut section = Section::new(&format!("database {}", database.name));
    let mut row = |name: &str, value: &str, meaning: &'static str| {
        if !value.is_empty() {
            section.derived(name, Shown::Text(value.to_owned()), meaning);
        }
    };
    row("original", &database.original, "its path as the logs name it");
    row("source", &database.source, "where its copy lay");
    row("destination", &database.destination, "where it lies, below this folder");
    row("signature", &database.signature, "what tells it from all others");
    row("sha256", &database.sha256, "of the copy");
    section
}
