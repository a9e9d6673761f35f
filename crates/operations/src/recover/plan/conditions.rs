//! What must hold before anything is done.

use super::{Plan, Sources, StreamChoice, Verdict};
use anchorlog_format::jet::JetCode;
use anchorlog_replay::hard::Predicate;
use serde::Serialize;

/// Something that must hold.
#[derive(Clone, Debug, Serialize)]
pub struct Precondition {
    /// Its name, stable.
    pub id: &'static str,
    /// What must hold.
    pub rule: &'static str,
    /// Whether it does.
    pub holds: bool,
    /// What was found.
    pub found: String,
    /// Microsoft's code for its breach, where that is not the one of a fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jet: Option<JetCode>,
}

impl Precondition {
    /// A predicate of a restore.
    pub(crate) fn of(predicate: &Predicate) -> Self {
        let (found, jet) = match &predicate.outcome {
            Ok(found) => (found.clone(), None),
            Err(error) => (error.to_string(), Some(error.jet)),
        };
        Self { id: predicate.id, rule: predicate.rule, holds: predicate.outcome.is_ok(), found, jet }
    }
}

pub(super) fn preconditions(plan: &Plan, choice: &StreamChoice, sources: &Sources, runs: bool) -> Vec<Precondition> {
    let mut conditions = Vec::new();
    let mut demand = |id, rule, holds, found: String| conditions.push(Precondition { id, rule, holds, found, jet: None });
    let refused: Vec<&str> = refused(plan).collect();
    if sources.cut_off {
        let found = "one was: `recover --in-place` of this folder completes it";
        demand("settled", "no recovery in place was cut off while it was published", false, found.into());
    }
    demand(
        "chain",
        "the logs continue one another without a gap, from where replay begins to their end",
        runs,
        plan.engine_fault().map_or_else(|| describe(plan, choice), |fault| fault.finding.message.clone()),
    );
    demand(
        "databases",
        "every database of the stream takes part, or is clean already",
        refused.is_empty(),
        if refused.is_empty() {
            format!("{} database(s)", plan.databases.len())
        } else {
            format!("left out: {}", refused.join(", "))
        },
    );
    demand(
        "something",
        "there is a database",
        plan.databases.iter().any(|database| database.verdict != Verdict::Refused),
        format!("{} of {}", plan.databases.len() - refused.len(), plan.databases.len()),
    );
    if let Some(wanted) = plan.options.accept_loss {
        let computed = plan.loss.map(|loss| loss.first);
        demand(
            "accept-loss",
            "the generation given with --accept-loss is the first one that is lost",
            computed.is_none_or(|computed| computed == wanted),
            computed.map_or_else(|| "nothing is lost".into(), |computed| format!("lost from generation {computed} on")),
        );
    }
    if let (Some(limit), Some(loss)) = (plan.options.max_lost_logs, plan.loss.filter(|loss| loss.accepted)) {
        let found = format!("{} generation(s) would be lost", loss.count());
        demand("max-lost-logs", "no more generations are lost than --max-lost-logs allows", loss.count() <= limit, found);
    }
    conditions
}

fn refused(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.databases.iter().filter(|database| database.verdict == Verdict::Refused).map(|database| database.path.as_str())
}

fn describe(plan: &Plan, choice: &StreamChoice) -> String {
    match (choice, plan.generations.as_slice()) {
        (StreamChoice::None, _) => "no log is here".into(),
        (_, []) => "nothing has to be replayed".into(),
        (_, generations) => {
            let list: Vec<String> = generations.iter().map(ToString::to_string).collect();
            format!("generations {}", list.join(", "))
        }
    }
}
