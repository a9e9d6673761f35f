//! Sharing the pages of a window out to buckets, and doing the work of all buckets at once (`log-6 §3, §5`).
//!
//! Pages that one record names together, directly or through other records, are in one bucket, with all work on them in log order. So
//! buckets have nothing to wait for, the source of a split or merge is in the state of before its group (trap X2), and each page comes
//! out the same however many buckets there are.

use super::bucket::Bucket;
use super::window::{Kind, Window};
use std::thread;

/// Work below which another thread costs more than it brings.
const WORK_MIN: usize = 256;

/// For each page of the window the number of its bucket.
pub(super) fn share_out(window: &mut Window, threads: usize, always: bool) -> Vec<usize> {
    let mut buckets = vec![0; window.seats.len()];
    if threads < 2 || !always && window.work.len() < WORK_MIN {
        return buckets;
    }
    let leaders: Vec<usize> = (0..).zip(&window.seats.clone()).map(|(page, _)| window.leader(page) as usize).collect();
    let mut costs = vec![0_u64; window.seats.len()];
    for (at, seat) in window.seats.iter().enumerate() {
        costs[leaders[at]] += if seat.read { 4 } else { 1 };
    }
    for work in window.work.iter().filter(|work| work.kind.is_page_work()) {
        if let Some(&page) = window.named.get(work.named().start) {
            costs[leaders[page as usize]] += if matches!(work.kind, Kind::Node { .. }) { 1 } else { 8 };
        }
    }
    let mut filled = vec![0_u64; threads];
    let mut assign = |leader: usize, costs: &[u64], buckets: &mut [usize]| {
        let least = (0..filled.len()).min_by_key(|&bucket| filled[bucket]).unwrap_or(0);
        filled[least] += costs[leader];
        buckets[leader] = least;
    };
    // The large ones first: the small ones then even out what differs.
    let large = costs.iter().sum::<u64>() / (8 * threads as u64) + 1;
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

/// Does the work of all buckets, one of them on this thread.
pub(super) fn run(buckets: &mut [Bucket]) {
    let Some((own, others)) = buckets.split_first_mut() else { return };
    thread::scope(|scope| {
        for bucket in others.iter_mut().filter(|bucket| !bucket.work.is_empty()) {
            scope.spawn(|| bucket.run());
        }
        own.run();
    });
}
