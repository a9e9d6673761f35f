//! Databases of a folder: their state, what they need, and the one sentence that says what can be done.

use super::products::product_of;
use super::streams::{Range, StreamView, ranges};
use crate::identify::{Content, Identified};
use anchorlog_format::database::flush_map::{FlushMapHeader, MapFault};
use anchorlog_format::database::version::Known;
use anchorlog_format::database::{Copies, DatabaseHeader, DatabaseState, HeaderPage};
use anchorlog_format::units::{Generation, Signature};
use anchorlog_storage::Folder;
use serde::Serialize;
use std::path::Path;

/// A database of a folder.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseView {
    /// Path below the folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// The product that usually has a database of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<&'static str>,
    /// Whether it was closed well.
    pub state: String,
    /// Bytes of a page; `None` where the header does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
    /// The format.
    pub format: String,
    /// Its signature.
    pub signature: String,
    /// The log stream that it belongs to.
    pub log_signature: Signature,
    /// What it needs of the logs; `None` for a clean database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<Needs>,
    /// What the copies of its header are worth; `None` where neither holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Copies>,
    /// Its flush map.
    pub flush_map: String,
    /// What can be done with it, in one sentence.
    pub sentence: String,
    /// The command that does it; empty where there is none.
    pub command: String,
}

/// Which logs a dirty database needs, and which of them are here.
#[derive(Clone, Debug, Serialize)]
pub struct Needs {
    /// Generations that it cannot do without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Range>,
    /// Highest generation in which transactions of it committed.
    pub committed: Generation,
    /// Required generations that are not here.
    pub missing_required: Vec<Range>,
    /// Generations that are only committed, and not here.
    pub missing_committed: Vec<Range>,
    /// Whether any log of its stream is here.
    pub has_stream: bool,
}

pub(super) fn collect(folder: &dyn Folder, shown: &str, files: &[Identified], streams: &[StreamView]) -> Vec<DatabaseView> {
    let views = files.iter().filter_map(|file| match &file.content {
        Content::Database { page, copies } => Some(view(folder, shown, file, page, *copies, streams)),
        Content::DamagedDatabase { page_size } => {
            let page_size = page_size.map(u32::from);
            Some(damaged(file, page_size, shown))
        }
        _ => None,
    });
    views.collect()
}

fn view(
    folder: &dyn Folder,
    shown: &str,
    file: &Identified,
    page: &HeaderPage,
    copies: Copies,
    streams: &[StreamView],
) -> DatabaseView {
    let header = &page.header;
    let needs = header.state.is_dirty().then(|| needs(header, streams));
    let (sentence, command) = advice(header, needs.as_ref(), shown, &file.path);
    DatabaseView {
        path: file.path.display().to_string(),
        size: file.size,
        product: product_of(&file.name()),
        state: header.state.to_string(),
        page_size: Some(page.page_size().into()),
        format: header.format().to_string(),
        signature: header.signature.to_string(),
        log_signature: header.log_signature,
        needs,
        header: Some(copies),
        flush_map: flush_map(folder, &file.path, header),
        sentence,
        command,
    }
}

fn damaged(file: &Identified, page_size: Option<u32>, shown: &str) -> DatabaseView {
    DatabaseView {
        path: file.path.display().to_string(),
        size: file.size,
        product: product_of(&file.name()),
        state: "unknown: neither copy of the header holds".into(),
        page_size,
        format: "unknown".into(),
        signature: "none".into(),
        log_signature: Signature::NONE,
        needs: None,
        header: None,
        flush_map: "not looked at".into(),
        sentence: "Both copies of its header are damaged: it can be made anew from logs that reach back to its creation, \
                   or restored from a backup."
            .into(),
        command: format!("anchorlog recover {shown} --out NEW --dry-run"),
    }
}

fn needs(header: &DatabaseHeader, streams: &[StreamView]) -> Needs {
    let stream = streams.iter().find(|stream| stream.signature == header.log_signature);
    let has = |generation: u32| {
        stream.is_some_and(|stream| stream.present.iter().any(|range| (range.first.0..=range.last.0).contains(&generation)))
    };
    // 0 in a dirty file means that the engine did not know the field yet (`log-7 §10`).
    let committed = header.max_committed.max(header.max_required);
    let absent = |from: u32, to: u32| {
        // A header may claim any range; only the part around what is here is looked at one by one.
        let limit = to.min(from.saturating_add(MOST_GENERATIONS));
        ranges((from..=limit).filter(|&generation| !has(generation)).map(Generation))
    };
    let (first, last) = (header.min_required, header.max_required);
    Needs {
        required: (first.0 > 0).then_some(Range { first, last }),
        committed,
        missing_required: if first.0 > 0 { absent(first.0, last.0) } else { Vec::new() },
        missing_committed: if committed > last { absent(last.0.saturating_add(1), committed.0) } else { Vec::new() },
        has_stream: stream.is_some(),
    }
}

/// More generations than any folder holds: a bound for ranges out of damaged headers.
const MOST_GENERATIONS: u32 = 1_000_000;

fn flush_map(folder: &dyn Folder, database: &Path, header: &DatabaseHeader) -> String {
    let mut start = vec![0; anchorlog_format::database::flush_map::MAP_PAGE];
    let read = folder.open(&database.with_extension("jfm")).and_then(|map| map.read_at(0, &mut start));
    let Ok(read) = read else {
        return if header.map_flush.is_none() { "none, and none is expected".into() } else { "missing: it is made anew".into() };
    };
    start.truncate(read);
    match FlushMapHeader::from_page(&start).and_then(|map| map.accept_for(header).map(|()| map)) {
        Ok(map) if map.is_clean() => "clean".into(),
        Ok(_) => "fits, to be completed from the logs".into(),
        Err(fault @ MapFault::Mismatch) => format!("{fault}: it is made anew"),
        Err(fault) => format!("{fault}; it is made anew"),
    }
}

fn advice(header: &DatabaseHeader, needs: Option<&Needs>, shown: &str, path: &Path) -> (String, String) {
    let file = Path::new(shown).join(path).display().to_string();
    let dump = format!("anchorlog dump {file}");
    let recover = format!("anchorlog recover {shown} --out NEW");
    let say = |sentence: &str, command: String| (sentence.to_owned(), command);
    if let Err(fault) = header.check_kind() {
        return (format!("It cannot be opened: {fault}."), String::new());
    }
    if header.is_temporary() {
        return say("A temporary database: it is worthless once its application has ended.", String::new());
    }
    match header.state {
        DatabaseState::CleanShutdown => say("Clean: it can be used as it is, and no log is needed.", dump),
        DatabaseState::JustCreated => {
            say("Its creation was never finished: recovery makes it anew where the logs hold the creation.", recover)
        }
        DatabaseState::DirtyShutdown | DatabaseState::DirtyAndPatched => dirty(header, needs, recover, dump),
        DatabaseState::IncrementalReseed => {
            say("Pages were being replaced from another copy, and that did not finish: copy the database again.", String::new())
        }
        DatabaseState::RevertInProgress => {
            say("A revert to an older state did not finish: finish it on its server, or restore a backup.", String::new())
        }
        _ => (format!("Its state is \"{}\": restore a backup.", header.state), String::new()),
    }
}

fn dirty(header: &DatabaseHeader, needs: Option<&Needs>, recover: String, dump: String) -> (String, String) {
    let list = |ranges: &[Range]| ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let Some(needs) = needs else { return (String::new(), String::new()) };
    if header.is_streamed_backup() {
        let sentence = "Out of an online backup: it must be restored with the logs of its backup set.".to_owned();
        return (sentence, format!("{recover} --dry-run"));
    }
    if header.format().known() != Known::Fully {
        let sentence = format!(
            "Dirty, and its format {} is newer than what can be recovered: it can be read as it is, without the newest changes.",
            header.format()
        );
        return (sentence, dump);
    }
    if !needs.missing_required.is_empty() {
        let range = needs.required.map(|range| range.to_string()).unwrap_or_default();
        let others = if needs.has_stream { "" } else { " No log of its stream is here." };
        let sentence = format!(
            "Dirty: it needs the logs {range}, and {} are missing; find them before anything else.{others}",
            list(&needs.missing_required)
        );
        return (sentence, format!("{recover} --dry-run"));
    }
    if !needs.missing_committed.is_empty() {
        let sentence = format!(
            "Dirty: all logs that it must have are here, but the newest, {}, are missing; without them what committed there is lost.",
            list(&needs.missing_committed)
        );
        return (sentence, format!("{recover} --dry-run"));
    }
    ("Dirty, and every log that it needs is here: it can be recovered.".to_owned(), recover)
}
