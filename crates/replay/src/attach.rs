//! Whether a database that the log names is opened, made, passed over or refused: the engine's decision tables (`log-5 §8`) as
//! pure functions, for plans and for the run alike.

use anchorlog_format::database::header::DatabaseHeader;
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{DatabaseId, Dbtime, Generation, LogPosition, ObjectId, Signature};

/// How a database came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the list of attached databases where redo starts.
    List,
    /// In an AttachDB record.
    AttachRecord,
    /// In a CreateDB record.
    CreateRecord,
}

/// What the log says of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Where it says so.
    pub source: Source,
    /// Slot.
    pub database: DatabaseId,
    /// Path as logged.
    pub path: String,
    /// Database signature.
    pub signature: Signature,
    /// Signature of the log stream that the header named before the attach; in lists that of the stream.
    pub log_signature: Signature,
    /// Position of the attach or create record.
    pub attach: LogPosition,
    /// Where the database was last clean, as the log knows.
    pub consistent: LogPosition,
    /// Page time of the list.
    pub dbtime: Dbtime,
    /// Highest object id of the list.
    pub object: ObjectId,
    /// CreateDB: version and update of the creation.
    pub create_version: Option<(u16, u16)>,
}

/// What stands where the database should be.
#[derive(Clone, Copy, Debug)]
pub enum FileState<'a> {
    /// No file; `place_exists` says whether its folder does.
    Missing {
        /// Whether the folder is there in which it would be made.
        place_exists: bool,
    },
    /// Neither copy of the header has a right checksum.
    Damaged,
    /// It may not be opened.
    Denied,
    /// A header.
    Header(&'a DatabaseHeader),
}

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Open it and redo.
    Now,
    /// Make a new file.
    Create,
    /// Pass its records over.
    Defer(Why),
    /// Recovery fails.
    Refuse(JetCode, String),
}

/// Why a database is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No file.
    Missing,
    /// No access.
    Denied,
    /// Its creation was never finished.
    JustCreated,
    /// It belongs to another log stream.
    OtherStream,
    /// Another database under this name.
    OtherDatabase,
    /// It is attached later in the log.
    AttachedLater,
    /// It was created anew later in the log, or is older than this creation.
    OlderLife,
    /// It was closed clean later than here.
    CleanLater,
    /// It was changed while logging was off.
    ChangedUnlogged,
}

impl Why {
    /// For people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Missing => "no file of that name or signature is here",
            Self::Denied => "the file may not be opened",
            Self::JustCreated => "its creation was never finished",
            Self::OtherStream => "it belongs to another log stream",
            Self::OtherDatabase => "another database stands under its name",
            Self::AttachedLater => "it is attached later in the log",
            Self::OlderLife => "it is older than this creation",
            Self::CleanLater => "it was closed clean later than here",
            Self::ChangedUnlogged => "it was changed while logging was off",
        }
    }
}

/// What the decision depends on besides file and record.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Signature of the log stream.
    pub stream: Signature,
    /// Redo position: of the record, or of the start.
    pub position: LogPosition,
}

/// A CreateDB record meets a file (`log-5 §8.2`).
#[must_use]
pub fn decide_create(file: FileState<'_>, logged: &Logged, context: Context) -> Outcome {
    let header = match file {
        FileState::Missing { place_exists: true } | FileState::Damaged => return Outcome::Create,
        FileState::Missing { place_exists: false } => return Outcome::Defer(Why::Missing),
        FileState::Denied => return Outcome::Defer(Why::Denied),
        FileState::Header(header) => header,
    };
    match header.state {
        DatabaseState::IncrementalReseed => return refuse_state(JetCode::DATABASE_INCOMPLETE_INCREMENTAL_RESEED, header),
        DatabaseState::RevertInProgress => return refuse_state(JetCode::DATABASE_INCOMPLETE_REVERT, header),
        DatabaseState::DirtyShutdown | DatabaseState::CleanShutdown | DatabaseState::DirtyAndPatched => {}
        _ => return Outcome::Create,
    }
    if header.log_signature != context.stream {
        return Outcome::Defer(Why::OtherStream);
    }
    match header.attach_position.cmp(&logged.attach) {
        std::cmp::Ordering::Equal if header.signature != logged.signature => Outcome::Defer(Why::OtherDatabase),
        std::cmp::Ordering::Equal if header.consistent_position >= header.attach_position => Outcome::Defer(Why::CleanLater),
        std::cmp::Ordering::Equal => open_now(header, context.position.generation),
        std::cmp::Ordering::Greater => Outcome::Defer(Why::AttachedLater),
        std::cmp::Ordering::Less => Outcome::Defer(Why::OlderLife),
    }
}

/// An AttachDB record, or the attach list of the start, meets a file (`log-5 §8.4`).
#[must_use]
pub fn decide_attach(file: FileState<'_>, logged: &Logged, context: Context) -> Outcome {
    let header = match file {
        FileState::Missing { .. } => return Outcome::Defer(Why::Missing),
        FileState::Denied => return Outcome::Defer(Why::Denied),
        FileState::Damaged => {
            let reason = "neither copy of its header has a right checksum".to_owned();
            return Outcome::Refuse(JetCode::READ_VERIFY_FAILURE, reason);
        }
        FileState::Header(header) => header,
    };
    match header.state {
        DatabaseState::IncrementalReseed => return refuse_state(JetCode::DATABASE_INCOMPLETE_INCREMENTAL_RESEED, header),
        DatabaseState::RevertInProgress => return refuse_state(JetCode::DATABASE_INCOMPLETE_REVERT, header),
        DatabaseState::JustCreated => return Outcome::Defer(Why::JustCreated),
        DatabaseState::DirtyShutdown | DatabaseState::CleanShutdown | DatabaseState::DirtyAndPatched => {}
        _ => return refuse_state(JetCode::DATABASE_CORRUPTED, header),
    }
    let before_redo = logged.source == Source::List;
    let ours = header.log_signature == context.stream;
    let as_logged = if before_redo { ours } else { header.log_signature == logged.log_signature };
    let same = header.signature == logged.signature;
    // A position that is ahead of redo was logged after databases were kept attached: it says nothing.
    let consistent = if logged.consistent >= context.position { LogPosition::NONE } else { logged.consistent };
    let agrees = header.consistent_position == consistent;
    if !ours {
        return match (as_logged, agrees, same) {
            (false, ..) => Outcome::Defer(Why::OtherStream),
            (true, true, true) => open_now(header, context.position.generation),
            (true, false, true) => mismatch(header, consistent),
            (true, _, false) => Outcome::Defer(Why::OtherDatabase),
        };
    }
    if !as_logged || agrees || header.consistent_position.is_none() {
        if !same {
            return Outcome::Defer(Why::OtherDatabase);
        }
        return match header.attach_position.cmp(&logged.attach) {
            // Of a database that came from another stream the record says nothing to compare. The engine has its checkpoint behind this
            // attach before it closes a database; a recovery that a crash ended behind that has not.
            std::cmp::Ordering::Equal
                if header.state == DatabaseState::CleanShutdown && header.consistent_position > context.position =>
            {
                Outcome::Defer(Why::CleanLater)
            }
            std::cmp::Ordering::Equal => open_now(header, context.position.generation),
            std::cmp::Ordering::Less if as_logged && logged.source == Source::AttachRecord => {
                open_now(header, context.position.generation)
            }
            std::cmp::Ordering::Less => {
                let reason = format!(
                    "it was last attached at {}, before the attach at {} of the log",
                    header.attach_position, logged.attach
                );
                Outcome::Refuse(JetCode::ATTACHED_DATABASE_MISMATCH, reason)
            }
            std::cmp::Ordering::Greater => Outcome::Defer(Why::AttachedLater),
        };
    }
    if header.consistent_position > consistent && (before_redo || header.consistent_position > context.position) {
        return Outcome::Defer(Why::CleanLater);
    }
    if same { mismatch(header, consistent) } else { Outcome::Defer(Why::ChangedUnlogged) }
}

/// A file that fits is opened only if the logs at hand reach back far enough (`log-5 §8.5`).
fn open_now(header: &DatabaseHeader, generation: Generation) -> Outcome {
    let required = header.min_required;
    if required.0 != 0 && header.state != DatabaseState::DirtyAndPatched && required < generation {
        let reason = format!("it needs the logs from generation {required} on, and the first one at hand is {generation}");
        return Outcome::Refuse(JetCode::REQUIRED_LOG_FILES_MISSING, reason);
    }
    if header.needs_trailer() {
        let reason =
            "it came out of a streaming backup and was not restored: it must be restored with the logs of its set".to_owned();
        return Outcome::Refuse(JetCode::SOFT_RECOVERY_ON_BACKUP_DATABASE, reason);
    }
    Outcome::Now
}

fn mismatch(header: &DatabaseHeader, logged: LogPosition) -> Outcome {
    let reason = format!(
        "it was last clean at {}, and the log expects {logged}: an older or newer copy was put in its place",
        header.consistent_position
    );
    Outcome::Refuse(JetCode::CONSISTENT_TIME_MISMATCH, reason)
}

fn refuse_state(jet: JetCode, header: &DatabaseHeader) -> Outcome {
    Outcome::Refuse(jet, format!("its state is \"{}\"", header.state))
}
