//! What a user may ask of a recovery, and the engine's parameters behind it.

use anchorlog_format::units::{Generation, LogTime, PageSize};
use anchorlog_replay::stop::Stop;
use anchorlog_replay::{hard, run};
use std::path::PathBuf;

/// What a user may ask of a recovery.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Leave open transactions open, so that more logs can follow (`JET_bitRecoveryWithoutUndo`).
    pub without_undo: bool,
    /// Give up what committed from this generation on: it must be the one that the plan computed (`JET_bitReplayIgnoreLostLogs`).
    pub accept_loss: Option<Generation>,
    /// Give up at most so many generations.
    pub max_lost_logs: Option<u32>,
    /// Stop there. Unless `without_undo`, the result is clean: what had not committed by then is taken back.
    pub stop: Option<Stop>,
    /// Stop at this time, as exactly as the logs tell times.
    pub stop_time: Option<LogTime>,
    /// Which file a logged name means: logged path or its end, file below the folder (`JET_RSTMAP`).
    pub map: Vec<(String, PathBuf)>,
    /// Databases that are not mapped take no part (the engine without `JET_bitReplayMissingMapEntryDB`).
    pub only_mapped: bool,
    /// A database that is missing at the end does not matter (`JET_bitReplayIgnoreMissingDB`).
    pub ignore_missing_database: bool,
    /// The current log may be missing (`JET_bitAllowMissingCurrentLog`).
    pub allow_missing_current: bool,
    /// Refuse to make a missing database anew from its logged creation.
    pub no_create: bool,
    /// Publish a result with bad pages.
    pub keep_damage: bool,
    /// Nothing that replay did not touch is verified again: its bytes are known to be those of files that were.
    pub trust_copies: bool,
    /// Page size that databases and logs must have; found by itself when `None`.
    pub page_size: Option<PageSize>,
    /// Bytes of page images in memory; 0: the usual.
    pub cache_bytes: usize,
    /// Hard recovery: the databases come out of an online backup whose logs are this range; [`crate::restore`] makes it.
    pub hard: Option<hard::Set>,
    /// Threads that change pages; 0 and 1: none besides the one that replays. The result is the same with any number.
    pub threads: usize,
}

impl Options {
    /// The same as options of a run. `accept_loss` says whether lost logs are accepted in this run.
    #[must_use]
    pub fn of_run(&self, accept_loss: bool) -> run::Options {
        let usual = run::Options::default();
        run::Options {
            undo: !self.without_undo,
            stop: self.stop,
            undo_at_stop: true,
            accept_loss,
            // Nothing is deleted: logs that cannot be used do not go into the result.
            set_bad_logs_aside: accept_loss,
            allow_missing_current: self.allow_missing_current,
            ignore_missing_databases: self.ignore_missing_database,
            only_mapped: self.only_mapped,
            create: !self.no_create,
            keep_damage: self.keep_damage,
            page_size: self.page_size,
            cache_bytes: if self.cache_bytes == 0 { usual.cache_bytes } else { self.cache_bytes },
            threads: self.threads.max(1),
            hard: self.hard.clone(),
            ..usual
        }
    }
}
