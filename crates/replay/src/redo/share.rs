//! Sharing the pages of a window out to buckets, and doing the work of all buckets at once (`log-6 §3, §5`).
//!
//! Pages that one record names together, directly or through other records, are in one bucket, with all work on them in log order. So
//! buckets have nothing to wait for, the source of a split or merge is in the state of before its group (trap X2), and each page comes
//! out the same however many buckets there are.

use super::bucket::{Bucket, Shared};
use super::queue::Queue;
use super::window::{Kind, Window};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{self, Builder, JoinHandle};

/// Work below which another thread costs more than it brings.
const WORK_MIN: usize = 256;
/// Buckets for each thread: who is done with one takes the next, so that all are done at about the same time.
pub(super) const BUCKETS: usize = 8;

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
    let mut assign = |leader: usize, costs: &[u64], buckets: &mut [usize]| {
        let least = (0..count).min_by_key(|&bucket| filled[bucket]).unwrap_or(0);
        filled[least] += costs[leader];
        buckets[leader] = least;
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

/// Threads that work on buckets besides the one that takes records in: that one helps when it has nothing else to do.
pub(super) struct Workers {
    queue: Queue<Bucket, thread::Result<Bucket>>,
    threads: Vec<JoinHandle<()>>,
}

impl Default for Workers {
    fn default() -> Self {
        Self { queue: Queue::new(), threads: Vec::new() }
    }
}

impl Workers {
    /// Begins threads up to `count`, as far as the system has them.
    fn begin(&mut self, count: usize) {
        while self.threads.len() < count {
            let worker = self.queue.worker();
            let work = |mut bucket: Bucket| {
                catch_unwind(AssertUnwindSafe(move || {
                    bucket.run();
                    bucket
                }))
            };
            let Ok(thread) = Builder::new().name("redo".into()).spawn(move || worker.run(work)) else { break };
            self.threads.push(thread);
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // No thread uses a file when redo is given up.
        self.queue.close();
        self.threads.drain(..).for_each(|thread| _ = thread.join());
    }
}

/// Buckets at work.
pub(super) struct Running {
    pub shared: Arc<Shared>,
    /// For each page of the window the number of its bucket.
    pub numbers: Vec<usize>,
    done: Vec<Bucket>,
    /// Buckets that are not done.
    waiting: usize,
}

impl Running {
    /// Begins the work with so many threads, this one included; with one it is done at once.
    pub fn begin(shared: Arc<Shared>, numbers: Vec<usize>, buckets: Vec<Bucket>, workers: &mut Workers, threads: usize) -> Self {
        let mut running = Self { shared, numbers, done: Vec::new(), waiting: 0 };
        workers.begin(threads.saturating_sub(1));
        for mut bucket in buckets {
            if threads > 1 {
                workers.queue.give(bucket);
                running.waiting += 1;
            } else {
                bucket.run();
                running.done.push(bucket);
            }
        }
        running
    }
    /// Does what nobody has begun, and waits for the rest; the buckets by number.
    pub fn wait(&mut self, workers: &Workers) -> Vec<Bucket> {
        let mut buckets = std::mem::take(&mut self.done);
        while self.waiting > 0 {
            self.waiting -= 1;
            if let Some(mut bucket) = workers.queue.help() {
                bucket.run();
                buckets.push(bucket);
            } else if let Some(done) = workers.queue.wait() {
                buckets.push(done.unwrap_or_else(|panic| resume_unwind(panic)));
            }
        }
        buckets.sort_by_key(|bucket| bucket.number);
        buckets
    }
}
