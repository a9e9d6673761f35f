//! What becomes of each database, and why.

use super::{Fault, Plan, Sources, Verdict};
use crate::identify::Content;
use anchorlog_format::database::DatabaseState;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::Signature;
use anchorlog_replay::run::{DatabaseReport, Ending, Failure, Report};
use serde::Serialize;

/// What becomes of a database.
#[derive(Clone, Debug, Serialize)]
pub struct DatabasePlan {
    /// Its file, in the layout of the result.
    pub path: String,
    /// Its path in the log; empty where no log names it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub logged: String,
    /// Its state now.
    pub state: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
}

pub(super) fn databases(
    sources: &Sources,
    planned: &Result<Report, Failure>,
    plan: &Plan,
    signature: Signature,
) -> Vec<DatabasePlan> {
    let reports: &[DatabaseReport] = match planned {
        Ok(report) => &report.databases,
        Err(failure) => &failure.report.databases,
    };
    let mut plans = Vec::new();
    for source in sources.iter() {
        let place = source.identified.path.as_path();
        let report = reports.iter().find(|report| report.path.as_deref() == Some(place));
        let (state, log_signature) = match &source.identified.content {
            Content::Database { page, .. } => (Some(page.header.state), page.header.log_signature),
            Content::DamagedDatabase { .. } => (None, Signature::NONE),
            _ if report.is_some() => (None, Signature::NONE),
            _ => continue,
        };
        let known = Known { state, of_stream: log_signature == signature && !signature.is_none() };
        let (verdict, reason) = judge(known, report, planned, plan);
        plans.push(DatabasePlan {
            path: place.display().to_string(),
            logged: report.map(|report| report.logged.clone()).unwrap_or_default(),
            state: state.map_or_else(|| "its header is damaged".into(), |state| state.to_string()),
            verdict,
            reason,
        });
    }
    for report in reports.iter().filter(|report| report.path.as_ref().is_none_or(|path| sources.get(path).is_none())) {
        let known = Known { state: None, of_stream: true };
        let (verdict, reason) = judge(known, Some(report), planned, plan);
        plans.push(DatabasePlan {
            path: report.path.as_ref().map_or_else(|| report.logged.clone(), |path| path.display().to_string()),
            logged: report.logged.clone(),
            state: "no file is here".into(),
            verdict: if verdict == Verdict::Refused && may_be_absent(report, planned, plan) {
                Verdict::AlreadyClean
            } else {
                verdict
            },
            reason,
        });
    }
    plans.retain(|database| !(database.verdict == Verdict::AlreadyClean && database.state == "no file is here"));
    plans
}

/// A database that the log names, that is not here, and that nobody misses: it was detached, or it may be missing.
fn may_be_absent(report: &DatabaseReport, planned: &Result<Report, Failure>, plan: &Plan) -> bool {
    planned.is_ok() && !report.created && (plan.options.ignore_missing_database || report.passed_over.is_some())
}

struct Known {
    state: Option<DatabaseState>,
    of_stream: bool,
}

fn judge(known: Known, report: Option<&DatabaseReport>, planned: &Result<Report, Failure>, plan: &Plan) -> (Verdict, String) {
    let clean = known.state == Some(DatabaseState::CleanShutdown);
    let untouched = |why: &str| {
        let found = if clean { "it is clean" } else { "it is dirty" };
        (if clean { Verdict::AlreadyClean } else { Verdict::Refused }, format!("{found}, and {why}"))
    };
    let run = match planned {
        Ok(run) => run,
        Err(_) if clean => return (Verdict::AlreadyClean, "it is clean, and needs none of the logs that are here".into()),
        Err(failure) => return (Verdict::Refused, format!("the recovery as a whole cannot be done: {}", failure.error)),
    };
    let Some(report) = report else {
        return untouched(match (known.of_stream, &run.ending) {
            (_, Ending::NoLogs) => "no log is here",
            (true, Ending::NothingToDo) => "the logs were closed cleanly and are not replayed",
            (true, _) => "the logs that are here never come to it",
            (false, _) => "the logs that are here are of another stream",
        });
    };
    if let Some(why) = report.passed_over {
        return untouched(why.meaning());
    }
    let made = if report.created { "it is made anew from its logged creation" } else { "its logs are applied" };
    let ends_clean = report.header.as_ref().is_some_and(|page| page.header.state == DatabaseState::CleanShutdown);
    match (&run.ending, &plan.loss) {
        (Ending::Recovered, Some(loss)) if loss.accepted => {
            let lost = format!("{made}, and what committed from generation {} on is given up", loss.first);
            (Verdict::LossAccepted, lost)
        }
        (Ending::Recovered, _) if plan.ends_at_stop => {
            (Verdict::Recovered, format!("{made} up to the stop, and what had not committed by then is taken back"))
        }
        (Ending::Recovered, _) => (Verdict::Recovered, format!("{made}, and what had not committed is taken back")),
        (Ending::WithoutUndo | Ending::Stopped, _) if !ends_clean => {
            (Verdict::StaysDirty, format!("{made}, and open transactions stay open, as asked"))
        }
        _ => (Verdict::Recovered, format!("{made}; it is closed cleanly by the logs themselves")),
    }
}

/// A dirty database to which nothing is applied is a refusal, also where the engine would call its start a success (trap Z24).
pub(super) fn untouched(database: &DatabasePlan, plan: &Plan) -> Option<Fault> {
    if database.verdict != Verdict::Refused || plan.engine_fault().is_some() {
        return None;
    }
    let message = format!("the recovery would leave it as it is: {}", database.reason);
    let finding = Finding::error(Place::file(&database.path), JetCode::DATABASE_DIRTY_SHUTDOWN, message);
    let hint = "Bring the logs that belong to it; `anchorlog inspect` on the folder says which.";
    Some(Fault { finding: finding.with_hint(hint), engine: false })
}
