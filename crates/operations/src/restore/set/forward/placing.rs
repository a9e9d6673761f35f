//! Where everything of a roll-forward comes to lie, and what is set aside (P57 to P64).

use super::Member;
use crate::backup::{Predicate, Refusal};
use crate::identify::Content;
use crate::restore::set::gather::{self, Candidate, Chain};
use crate::restore::set::lives;
use crate::restore::set::options::Options;
use crate::restore::set::plan::{Item, Origin, Plan, paths};
use crate::restore::set::stored::place_of;
use crate::restore::set::target::{self, Existing};
use crate::sets::{History, Role};
use anchorlog_format::log::names::{Extension, Naming};
use anchorlog_format::units::{Generation, Signature};
use std::path::{Path, PathBuf};

/// The folder of the logs in the result, and their names.
pub(super) fn layout(
    plan: &Plan,
    history: &History,
    existing: &Existing,
    signature: &Signature,
    options: &Options,
) -> (PathBuf, Naming) {
    let there = gather::place_in_target(existing, signature);
    let part = history
        .of_stream(signature)
        .flat_map(|set| set.manifest.streams.iter().filter(|stream| stream.signature == *signature))
        .next_back();
    let stored = history.of_stream(signature).rev().find_map(|set| {
        let mut logs = set.manifest.logs().filter(|(_, facts)| facts.signature == *signature);
        logs.next().and_then(|(part, _)| place_of(&part.name).parent().map(Path::to_path_buf))
    });
    let beside = || plan.restored.first().and_then(|database| database.file.place.parent().map(Path::to_path_buf));
    let folder =
        options.log_folder.clone().or_else(|| there.as_ref().map(|(folder, _)| folder.clone())).or(stored).or_else(beside);
    let base = there.map(|(_, base)| base).or_else(|| part.map(|part| part.base.clone()));
    let extension = if part.is_some_and(|part| part.extension == "jtx") { Extension::Jtx } else { Extension::Log };
    let naming = Naming { base: base.unwrap_or_else(|| "edb".into()), extension, wide: part.is_some_and(|part| part.wide) };
    (folder.unwrap_or_default(), naming)
}

/// The files of the working folder: databases, those that stay, and the logs of the chain. No checkpoint, no flush map of another moment.
pub(super) fn place(plan: &mut Plan, chain: &Chain, existing: &Existing, members: &[Member], folder: &Path, naming: &Naming) {
    plan.files.retain(|file| file.role != Role::FlushMap);
    for member in members.iter().filter(|member| !member.restored) {
        let map = member.place.with_extension("jfm");
        for (place, role) in [(member.place.clone(), Role::Database), (map, Role::FlushMap)] {
            let Some(source) = existing.files().find(|source| source.identified.path == place) else { continue };
            plan.files.push(Item {
                place,
                from: source.path.display().to_string(),
                role,
                size: source.identified.size,
                blake3: None,
                generation: None,
                origin: Origin::Disk(source.path.clone()),
                owner: crate::backup::owner_of(&source.path),
            });
        }
    }
    let last = chain.logs.len().saturating_sub(1);
    for (at, log) in chain.logs.iter().enumerate() {
        let open = at == last && log.facts.open;
        let name = if open { naming.current() } else { naming.archive(Generation(log.facts.generation)) };
        plan.files.push(Item {
            place: folder.join(name),
            from: lives::origin_of(&log.origin),
            role: Role::Log,
            size: log.size,
            blake3: Some(log.blake3),
            generation: Some(Generation(log.facts.generation)),
            origin: log.origin.clone(),
            owner: log.owner.clone(),
        });
    }
}

/// P57 to P64, with what is set aside.
#[expect(clippy::too_many_arguments, reason = "everything that was found is told once, in the order of the reference")]
pub(super) fn placing(
    plan: &mut Plan,
    chain: &Chain,
    existing: &Existing,
    (open, compared): (&[Candidate], usize),
    (folder, naming): (&Path, &Naming),
    high: u32,
    signature: &Signature,
    out: &mut Vec<Predicate>,
) {
    let in_the_way = paths(existing.in_the_way(&plan.restored));
    let logs = existing.of_streams().filter(|source| {
        let path = &source.identified.path;
        let base = anchorlog_format::log::names::parse(&source.identified.name()).map(|name| name.base.to_lowercase());
        let beside = path.parent().unwrap_or(Path::new("")) == folder
            && base.is_some_and(|base| base.is_empty() || base == naming.base.to_lowercase());
        let own = match &source.identified.content {
            Content::Log(header) => header.signature == *signature,
            Content::Checkpoint(checkpoint, _) => checkpoint.signature == *signature,
            _ => false,
        };
        beside || own
    });
    let logs = paths(logs);
    out.push(Predicate::held("P57", "", "the set, production and the target are read alone"));
    let read = format!("{compared} compared; set aside: {}", target::list(logs.iter().map(PathBuf::as_path)));
    out.push(Predicate::held("P58", "", read));
    for log in open {
        let used =
            chain.logs.last().is_some_and(|last| last.blake3 == log.blake3 && last.facts.generation == log.facts.generation);
        out.push(if used {
            Predicate::held("P59", &log.from, format!("it continues the chain as generation {:#x}", log.facts.generation))
        } else {
            let read = format!(
                "generation {:#x} is not the next one of the chain: it stays out, and is set aside",
                log.facts.generation
            );
            let next = "It is kept in the folder of what is set aside.";
            Predicate::marks("P59", &log.from, read, Refusal::Chain, next)
        });
    }
    let current = chain.logs.last().filter(|log| log.facts.open);
    out.push(Predicate::held(
        "P60",
        "",
        match current {
            Some(log) => format!("{} is the current log", log.from),
            None => "the highest log is a closed one: the next one is made by the recovery itself".into(),
        },
    ));
    let end = chain.last().unwrap_or(0);
    let above = existing.files().filter(|source| match &source.identified.content {
        Content::Log(header) => header.signature == *signature && header.generation.0 > end,
        _ => false,
    });
    out.push(Predicate::held(
        "P61",
        "",
        format!("set aside: {}", gather::list(&above.map(|source| source.path.display().to_string()).collect::<Vec<_>>())),
    ));
    // Where it is below, P41 or P43 have told so.
    if let Some(log) = current.filter(|log| log.facts.generation >= high) {
        let read = format!("it is generation {:#x}, and {high:#x} is needed", log.facts.generation);
        out.push(Predicate::held("P62", "", read));
    }
    out.push(Predicate::held("P63", "", "none is staged"));
    let read = format!("{} files, each with its hash, as listed", plan.files.len());
    out.push(Predicate::held("P64", "", read));
    plan.set_aside = in_the_way.into_iter().chain(logs).collect();
}
