//! The databases of a set (H8 to H10, H12): do they come out of an online backup, is it whole, do the logs span it; and what the restore
//! writes into their headers (H11).

use super::{Predicate, Set};
use crate::error::{ReplayError, Result};
use crate::headers;
use crate::naming::Candidate;
use anchorlog_format::database::header::{DatabaseHeader, HeaderPage};
use anchorlog_format::database::trailer::{Trailer, TrailerFault};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{Generation, PageSize, Signature};
use anchorlog_storage::{File, Folder};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// H8 to H10 of each database, and H12 over all.
pub(super) fn databases(
    folder: &dyn Folder,
    set: &Set,
    candidates: &[Candidate],
    stream: &Signature,
    page_size: Option<PageSize>,
    predicates: &mut Vec<Predicate>,
) -> BTreeMap<PathBuf, HeaderPage> {
    let mut headers = BTreeMap::new();
    for candidate in candidates {
        let (mut page, lowest, highest) = match out_of_backup(folder, &candidate.path, stream, page_size) {
            Ok(found) => found,
            Err(error) => {
                predicates.push(of_backup(Err(error)));
                continue;
            }
        };
        let name = candidate.path.display();
        predicates.push(of_backup(Ok(format!("{name} was copied from generation {lowest} to {highest}"))));
        let (starts, ends) = (spans_start(set, lowest, &candidate.path), spans_end(set, highest, &candidate.path));
        headers::restored(&mut page.header, set.high);
        if starts.outcome.is_ok() && ends.outcome.is_ok() {
            headers.insert(candidate.path.clone(), page);
        }
        predicates.extend([starts, ends]);
    }
    predicates.push(Predicate {
        id: "H12",
        rule: "no two files are the same database",
        outcome: twice(candidates).map_or_else(|| Ok(format!("{} database(s)", candidates.len())), Err),
    });
    headers
}

fn of_backup(outcome: Result<String>) -> Predicate {
    Predicate { id: "H8", rule: "the database comes whole out of an online backup of this log stream", outcome }
}

/// H8, in the engine's order; the header as its trailer completes it, and the generations between which it was copied.
fn out_of_backup(
    folder: &dyn Folder,
    path: &Path,
    stream: &Signature,
    page_size: Option<PageSize>,
) -> Result<(HeaderPage, Generation, Generation)> {
    let refuse = |jet, reason: String| ReplayError::new(jet, reason).in_file(path.display().to_string());
    let named = |error: io::Error| ReplayError::from(error).in_file(path.display().to_string());
    let file = folder.open(path).map_err(named)?;
    let mut start = vec![0; HeaderPage::ELECTION_BYTES];
    let read = file.read_at(0, &mut start).map_err(named)?;
    let Ok((mut page, _)) = HeaderPage::elect(start.get(..read).unwrap_or_default()) else {
        return Err(refuse(JetCode::DATABASE_CORRUPTED, "neither copy of its header has a right checksum".into()));
    };
    page.header.check_kind().map_err(|fault| refuse(fault.jet(), fault.to_string()))?;
    if let Some(wanted) = page_size.filter(|wanted| *wanted != page.page_size()) {
        let reason = format!("it has pages of {} bytes, not of {wanted}", page.page_size());
        return Err(refuse(JetCode::PAGE_SIZE_MISMATCH, reason));
    }
    if !page.header.is_streamed_backup() {
        let reason = format!("it does not come out of an online backup (its state is \"{}\")", page.header.state);
        return Err(refuse(JetCode::RESTORE_OF_NON_BACKUP_DATABASE, reason));
    }
    if page.header.needs_trailer() {
        complete(&*file, &mut page).map_err(|fault| match fault {
            Incomplete::Trailer(fault) => refuse(fault.jet(), fault.to_string()),
            Incomplete::Storage(error) => named(error),
        })?;
    }
    if page.header.log_signature != *stream && !stream.is_none() {
        let reason = "it belongs to another log stream than the logs of the set".to_owned();
        return Err(refuse(JetCode::DATABASE_PATCH_FILE_MISMATCH, reason));
    }
    let backup = page.header.current_backup;
    Ok((page, backup.low, backup.high))
}

enum Incomplete {
    Trailer(TrailerFault),
    Storage(io::Error),
}

/// The trailer is the last page of the file.
fn complete(file: &dyn File, page: &mut HeaderPage) -> std::result::Result<(), Incomplete> {
    let mut last = vec![0; page.page_size().bytes()];
    let at = trailer_offset(file, page.page_size()).map_err(Incomplete::Storage)?;
    let read = file.read_at(at, &mut last).map_err(Incomplete::Storage)?;
    let trailer = Trailer::from_page(last.get(..read).unwrap_or_default()).map_err(Incomplete::Trailer)?;
    trailer.complete(&mut page.header).map_err(Incomplete::Trailer)
}

fn trailer_offset(file: &dyn File, size: PageSize) -> io::Result<u64> {
    Ok(file.size()?.saturating_sub(size.bytes_u64()))
}

/// H9.
fn spans_start(set: &Set, lowest: Generation, path: &Path) -> Predicate {
    let outcome = if lowest >= set.low {
        Ok(format!("the logs begin with generation {}", set.low))
    } else {
        let reason = format!("its backup began in generation {lowest}, and the logs at hand begin with {}", set.low);
        Err(ReplayError::new(JetCode::STARTING_RESTORE_LOG_TOO_HIGH, reason).in_file(path.display().to_string()))
    };
    Predicate { id: "H9", rule: "the logs of the set reach back to where the backup of the database began", outcome }
}

/// H10.
fn spans_end(set: &Set, highest: Generation, path: &Path) -> Predicate {
    let outcome = if highest <= set.high {
        Ok(format!("the logs end with generation {}", set.high))
    } else {
        // An earlier restore with more logs leaves their end in the header (trap O8 of ops-3).
        let reason = format!(
            "its backup ended in generation {highest}, and the logs of the set end with {}; where an earlier restore with more logs wrote \
             that into the header, take the raw copy of the set again",
            set.high
        );
        Err(ReplayError::new(JetCode::ENDING_RESTORE_LOG_TOO_LOW, reason).in_file(path.display().to_string()))
    };
    Predicate { id: "H10", rule: "the logs of the set reach to where the backup of the database ended", outcome }
}

/// H12.
fn twice(candidates: &[Candidate]) -> Option<ReplayError> {
    let mut seen: BTreeMap<[u8; 28], &Path> = BTreeMap::new();
    for candidate in candidates {
        let Some(signature) = candidate.signature else { continue };
        if let Some(other) = seen.insert(signature.0, &candidate.path) {
            let reason = format!("{} and {} are copies of one database", other.display(), candidate.path.display());
            return Some(ReplayError::new(JetCode::DATABASE_SIGN_IN_USE, reason).in_file(candidate.path.display().to_string()));
        }
    }
    None
}

/// Zeroes the trailer behind the pages of a streamed copy; a last page that is none is left as it is. `before` is the header as the copy
/// has it.
pub(crate) fn zero_trailer(file: &dyn File, before: &DatabaseHeader, size: PageSize) -> io::Result<()> {
    let at = trailer_offset(file, size)?;
    let mut last = vec![0; size.bytes()];
    let read = file.read_at(at, &mut last)?;
    let own = |trailer: Trailer| trailer.signature == before.signature && trailer.backup.mark == before.current_backup.mark;
    if Trailer::from_page(last.get(..read).unwrap_or_default()).is_ok_and(own) {
        file.write_at(at, &vec![0; size.bytes()])?;
    }
    Ok(())
}
