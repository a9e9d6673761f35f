//! `recover`.

use crate::arguments::{RecoverArguments, number};
use crate::interrupt;
use crate::now;
use crate::output::{Exit, Output};
use crate::progress::Shown;
use anchorlog_format::units::{Generation, LogPosition};
use anchorlog_operations::recover::{self, Inputs, MakeError, Options, Place, Plan, PlanError, Report, Sources};
use anchorlog_replay::stop::Stop;
use std::path::PathBuf;

/// Plans a recovery, shows the plan, and makes it unless only the plan is wanted.
pub fn run(arguments: &RecoverArguments, output: &Output) -> Exit {
    let place = match (&arguments.out, arguments.in_place, &arguments.folder) {
        (Some(out), _, _) => Some(Place::Out(out.clone())),
        (None, true, Some(folder)) => Some(Place::InPlace(folder.clone())),
        _ if arguments.dry_run => None,
        _ => {
            output.error("name where the result goes: --out DIR, or --in-place with a folder", None, "Nothing was touched.");
            return Exit::Usage;
        }
    };
    let Some(inputs) = inputs(arguments) else {
        output.error(
            "name the folder that holds databases and logs, or --database FILE and --logs DIR",
            None,
            "Nothing was touched.",
        );
        return Exit::Usage;
    };
    let options = match options(arguments) {
        Ok(options) => options,
        Err(error) => {
            output.error(&error, None, "Nothing was touched.");
            return Exit::Usage;
        }
    };
    let sources = match Sources::gather(&inputs) {
        Ok(sources) => sources,
        Err(error) => {
            output.error(&error.to_string(), None, "Nothing was touched.");
            return Exit::Usage;
        }
    };
    let plan = match recover::plan(&sources, &options) {
        Ok(plan) => plan,
        Err(error @ PlanError::SeveralStreams(_)) => {
            output.error(&format!("{error}: name the folder of the one that is meant with --logs"), None, "Nothing was touched.");
            return Exit::Usage;
        }
        Err(PlanError::Storage(error)) => {
            output.error(&error.to_string(), None, "Nothing was touched.");
            return Exit::Failed;
        }
    };
    if arguments.dry_run || !plan.possible {
        output.value(&plan);
        print_plan(&plan, output);
        if plan.possible {
            return Exit::Done;
        }
        output.line("\nrefused: nothing was touched");
        return Exit::Refused;
    }
    let Some(place) = place else { return Exit::Usage };
    make(&plan, &sources, &place, output)
}

/// Carries a plan out and shows what became of it.
pub fn make(plan: &Plan, sources: &Sources, place: &Place, output: &Output) -> Exit {
    interrupt::watch();
    let made = recover::make(plan, sources, place, &now::ambient(), &mut Shown::new(*output));
    match made {
        Ok(report) => {
            output.value(&report);
            print_report(&report, output);
            if report.used_consent() { Exit::Findings } else { Exit::Done }
        }
        Err(MakeError::Refused { reason, jet }) => {
            output.error(&reason, jet, "Refused: nothing was touched.");
            Exit::Refused
        }
        Err(MakeError::Failed { reason, jet, findings }) => {
            for finding in &findings {
                output.finding(finding);
            }
            output.error(&reason, jet, "Nothing was published, and the originals are as they were.");
            Exit::Failed
        }
        Err(error @ MakeError::Interrupted) => {
            output.error(&error.to_string(), None, "");
            Exit::Interrupted
        }
    }
}

fn inputs(arguments: &RecoverArguments) -> Option<Inputs> {
    let folder = match (&arguments.folder, &arguments.logs) {
        (Some(folder), _) => folder.clone(),
        // Without a folder the logs' folder is the one, and the databases lie elsewhere.
        (None, Some(logs)) if !arguments.database.is_empty() => logs.clone(),
        _ => return None,
    };
    let logs = arguments.folder.as_ref().and(arguments.logs.clone());
    Some(Inputs { folder, databases: arguments.database.clone(), logs })
}

fn options(arguments: &RecoverArguments) -> Result<Options, String> {
    Ok(Options {
        without_undo: arguments.without_undo,
        accept_loss: arguments.accept_loss.map(Generation),
        max_lost_logs: arguments.max_lost_logs,
        stop: arguments.to.as_deref().map(stop).transpose()?,
        map: arguments.map.iter().map(|(name, path)| (name.clone(), PathBuf::from(path))).collect(),
        ignore_missing_database: arguments.ignore_missing_database,
        no_create: arguments.no_create,
        keep_damage: arguments.keep_damage,
        cache_bytes: arguments.cache.saturating_mul(1 << 20),
        ..Options::default()
    })
}

/// `GENERATION` or `GENERATION:SECTOR:BYTE`, as Microsoft's tools print positions.
fn stop(text: &str) -> Result<Stop, String> {
    let parts: Vec<&str> = text.split([':', ',']).collect();
    let hex = |text: &str| {
        u32::from_str_radix(text.trim_start_matches("0x"), 16).map_err(|_| format!("{text} is no hexadecimal number"))
    };
    let short =
        |text: &str| hex(text).and_then(|value| u16::try_from(value).map_err(|_| format!("{text} is too large for a position")));
    match parts.as_slice() {
        [generation] => number(generation).map(|generation| Stop::Generation(Generation(generation))),
        [generation, sector, byte] => Ok(Stop::from_position(LogPosition::new(hex(generation)?, short(sector)?, short(byte)?))),
        _ => Err(format!("{text} is no position: give GENERATION, or GENERATION:SECTOR:BYTE in hexadecimal")),
    }
}

/// A plan in text.
pub fn print_plan(plan: &Plan, output: &Output) {
    output.line("plan");
    if let Some(stream) = &plan.stream {
        output.line(format!("  log stream {} (base name {})", stream.signature, stream.base));
    }
    if let (Some(start), Some(end)) = (plan.start, plan.end) {
        let generations: Vec<String> = plan.generations.iter().map(ToString::to_string).collect();
        output.line(format!("  replay from {start} to {end}: generations {}", generations.join(", ")));
    }
    output.line("\ndatabases");
    for database in &plan.databases {
        output.line(format!("  {}: {} (now: {})", database.path, database.verdict, database.state));
        output.line(format!("    {}", database.reason));
    }
    if let Some(loss) = &plan.loss {
        let last = loss.last.map_or_else(|| "an unknown end".into(), |last| last.to_string());
        output.line(format!("\nloss: what committed in generations {} to {last}", loss.first));
        if !loss.accepted {
            output.line(format!("  find these logs, or go without them: --accept-loss {}", loss.first));
        }
    }
    output.line("\npreconditions");
    for condition in &plan.preconditions {
        let mark = if condition.holds { "ok  " } else { "FAIL" };
        output.line(format!("  {mark} {}\n         {}", condition.rule, condition.found));
    }
    if !plan.faults.is_empty() {
        output.line("\nfaults");
        for fault in &plan.faults {
            let engine = if fault.engine { "  (Microsoft's engine would stop here)" } else { "" };
            output.line(format!("  {}{engine}", fault.finding.to_string().replace('\n', "\n  ")));
        }
    }
    if !plan.steps.is_empty() {
        output.line("\nsteps");
        for (at, step) in plan.steps.iter().enumerate() {
            output.line(format!("  {}. {}", at + 1, step.action));
        }
    }
    for note in &plan.notes {
        output.line(format!("\nnote: {note}"));
    }
}

/// A report in text.
pub fn print_report(report: &Report, output: &Output) {
    if let Some(run) = &report.run {
        if let Some((first, last)) = run.generations {
            output.line(format!("replayed generations {first} to {last}, from {} to {}", run.start, run.end));
        }
        let records: u64 = run.records.values().sum();
        output.line(format!("  {records} records, {} page changes", run.page_changes));
        if run.transactions_rolled_back > 0 {
            output.line(format!(
                "  {} transactions had not committed: {} changes were taken back",
                run.transactions_rolled_back, run.changes_undone
            ));
        }
        if let Some((found, committed)) = run.lost {
            output.line(format!("  given up: what committed in generations {} to {committed}", found.0 + 1));
        }
        for path in &run.left_out {
            output.line(format!("  left out of the result: {path}"));
        }
        output.line(format!("  {}", run.ending));
        for note in &run.notes {
            output.line(format!("  note: {note}"));
        }
    }
    for database in &report.databases {
        output.line(format!("{}: {}", database.path, database.verdict));
        output.line(format!("  {}", database.reason));
        output.line(format!("  before: {}, after: {}", database.before.state, database.after.state));
        if let Some(proof) = &database.proof {
            output.line(format!(
                "  proved: {} pages, {} trees, {} rows, {} long values, {} index entries; {} errors, {} warnings",
                proof.pages, proof.trees, proof.rows, proof.long_values, proof.index_entries, proof.errors, proof.warnings
            ));
        }
    }
    for finding in &report.findings {
        output.finding(finding);
    }
    if let Some(aside) = &report.set_aside {
        output.line(format!("the originals lie in {aside}"));
    }
    output.line(format!("the result lies in {}", report.out));
}
