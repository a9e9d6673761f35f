//! Sharing the pages of a window out to buckets, and doing the work of all buckets at once (`log-6 §3, §5`).
//!
//! Pages that one record names together, directly or through other records, are in one bucket, with all work on them in log order. So
//! buckets have nothing to wait for, the source of a split or merge is in the state of before its group (trap X2), and each page comes
//! out the same however many buckets there are.

use super::bucket::{Bucket, Shared};
use super::window::{Kind, Window};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SendError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, Builder, JoinHandle};

/// Work below which another thread costs more than it brings.
const WORK_MIN: usize = 256;
/// Buckets for each thread: who is done with one takes the next, so that all are done at about the same time.
pub(super) const BUCKETS: usize = 4;

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
    /// Workers wait for a bucket with the lock held; who only wants to help never waits for it.
    queue: Arc<Mutex<Receiver<Bucket>>>,
    jobs: Option<Sender<Bucket>>,
    finished: Sender<thread::Result<Bucket>>,
    done: Receiver<thread::Result<Bucket>>,
    threads: Vec<JoinHandle<()>>,
}

impl Default for Workers {
    fn default() -> Self {
        let (jobs, queue) = channel();
        let (finished, done) = channel();
        Self { queue: Arc::new(Mutex::new(queue)), jobs: Some(jobs), finished, done, threads: Vec::new() }
    }
}

impl Workers {
    /// Begins threads up to `count`, as far as the system has them.
    fn begin(&mut self, count: usize) {
        while self.threads.len() < count {
            let (queue, finished) = (self.queue.clone(), self.finished.clone());
            let Ok(thread) = Builder::new().name("redo".into()).spawn(move || work(&queue, &finished)) else { break };
            self.threads.push(thread);
        }
    }
    /// A bucket that no worker has taken yet, where there is one.
    fn help(&self) -> Option<Bucket> {
        self.queue.try_lock().ok()?.try_recv().ok()
    }
}

fn work(queue: &Mutex<Receiver<Bucket>>, finished: &Sender<thread::Result<Bucket>>) {
    // The lock is free again when a bucket was taken.
    while let Ok(Ok(mut bucket)) = queue.lock().map(|queue| queue.recv()) {
        let done = catch_unwind(AssertUnwindSafe(move || {
            bucket.run();
            bucket
        }));
        if finished.send(done).is_err() {
            break;
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // No thread uses a file when redo is given up.
        self.jobs = None;
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
            let jobs = workers.jobs.as_ref().filter(|_| threads > 1);
            if let Some(jobs) = jobs {
                match jobs.send(bucket) {
                    Ok(()) => {
                        running.waiting += 1;
                        continue;
                    }
                    Err(SendError(refused)) => bucket = refused,
                }
            }
            bucket.run();
            running.done.push(bucket);
        }
        running
    }
    /// Does what nobody has begun, and waits for the rest; the buckets by number.
    pub fn wait(&mut self, workers: &Workers) -> Vec<Bucket> {
        let mut buckets = std::mem::take(&mut self.done);
        while self.waiting > 0 {
            self.waiting -= 1;
            if let Some(mut bucket) = workers.help() {
                bucket.run();
                buckets.push(bucket);
            } else if let Ok(done) = workers.done.recv() {
                buckets.push(done.unwrap_or_else(|panic| resume_unwind(panic)));
            }
        }
        buckets.sort_by_key(|bucket| bucket.number);
        buckets
    }
}
