//! Sharing the pages of a window out to buckets, and doing the work of all buckets at once (`log-6 §3, §5`).
//!
//! Pages that one record names together, directly or through other records, are in one bucket, with all work on them in log order. So
//! buckets have nothing to wait for, the source of a split or merge is in the state of before its group (trap X2), and each page comes
//! out the same however many buckets there are.

use super::bucket::{Bucket, Shared};
use super::window::{Kind, Window};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{JoinHandle, spawn};

/// Work below which another thread costs more than it brings.
const WORK_MIN: usize = 256;
/// Pages in a row that are alike: often of one tree.
const NEIGHBOURS: usize = 16;

/// Whether a window has enough to do for other threads.
pub(super) fn is_worth_threads(window: &Window) -> bool {
    window.work.len() >= WORK_MIN
}

/// For each page of the window the number of its bucket.
pub(super) fn share_out(window: &mut Window, count: usize) -> Vec<usize> {
    let mut buckets = vec![0; window.seats.len()];
    if count < 2 {
        return buckets;
    }
    let leaders: Vec<usize> = (0..).zip(&window.seats.clone()).map(|(page, _)| window.leader(page) as usize).collect();
    let mut costs = vec![0_u64; window.seats.len()];
    for (at, seat) in window.seats.iter().enumerate() {
        costs[leaders[at]] += if seat.read { 2 } else { 1 };
    }
    for work in window.work.iter().filter(|work| work.kind.is_page_work()) {
        if let Some(&page) = window.named.get(work.named().start) {
            costs[leaders[page as usize]] += match work.kind {
                Kind::Node { .. } => 1,
                Kind::Group => 24,
                _ => 4,
            };
        }
    }
    let mut filled = vec![0_u64; count];
    let total = costs.iter().sum::<u64>();
    let share = total / count as u64 + 1;
    let mut assign = |leader: usize, costs: &[u64], buckets: &mut [usize]| {
        // The bucket that the page was in before, most likely, as long as it is not full: its bytes are near that thread's core.
        let usual = window.seats[leader].key.1.0 as usize / NEIGHBOURS % count;
        let least = (0..count).min_by_key(|&bucket| filled[bucket]).unwrap_or(0);
        let bucket = if filled[usual] + costs[leader] <= share { usual } else { least };
        filled[bucket] += costs[leader];
        buckets[leader] = bucket;
    };
    // The large ones first: the small ones then even out what differs.
    let large = total / (8 * count as u64) + 1;
    let is_leader = |page: &usize| leaders[*page] == *page;
    for page in (0..leaders.len()).filter(is_leader).filter(|&page| costs[page] >= large) {
        assign(page, &costs, &mut buckets);
    }
    for page in (0..leaders.len()).filter(is_leader).filter(|&page| costs[page] < large) {
        assign(page, &costs, &mut buckets);
    }
    for page in 0..leaders.len() {
        buckets[page] = buckets[leaders[page]];
    }
    buckets
}

/// Buckets at work.
pub(super) struct Running {
    pub shared: Arc<Shared>,
    /// For each page of the window the number of its bucket.
    pub numbers: Vec<usize>,
    done: Vec<Bucket>,
    threads: Vec<JoinHandle<Bucket>>,
}

impl Running {
    /// Begins the work; with one bucket and no need for another thread it is done at once.
    pub fn begin(shared: Arc<Shared>, numbers: Vec<usize>, buckets: Vec<Bucket>, here: bool) -> Self {
        let mut running = Self { shared, numbers, done: Vec::new(), threads: Vec::new() };
        for mut bucket in buckets {
            if here || bucket.work.is_empty() {
                bucket.run();
                running.done.push(bucket);
            } else {
                running.threads.push(spawn(move || {
                    bucket.run();
                    bucket
                }));
            }
        }
        running
    }
    /// Waits for the work; the buckets in no order that means anything.
    pub fn wait(&mut self) -> Vec<Bucket> {
        let mut buckets = std::mem::take(&mut self.done);
        let threads = self.threads.drain(..);
        buckets.extend(threads.map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))));
        buckets
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // No thread uses a file when redo is given up.
        for thread in self.threads.drain(..) {
            _ = thread.join();
        }
    }
}
