//! The queue with `shuttle`'s primitives: thousands of the orders in which its threads may run, from seeds.

mod sync {
    pub(super) use shuttle::sync::mpsc::{Receiver, Sender, channel};
    pub(super) use shuttle::sync::{Arc, Mutex};
}

#[path = "queue.rs"]
mod queue;

use queue::Queue;
use shuttle::thread;

/// Two windows of jobs for some workers and a helper: each job is done once, nobody waits for ever, and all threads end.
fn tried(workers: usize) {
    let mut queue = Queue::new();
    let threads: Vec<_> = (0..workers)
        .map(|_| {
            let worker = queue.worker();
            thread::spawn(move || worker.run(|job: u32| job * 10))
        })
        .collect();
    for window in [0..4, 4..7] {
        window.clone().for_each(|job| queue.give(job));
        let mut done = Vec::new();
        while done.len() < window.len() {
            let next = queue.help().map(|job| job * 10).or_else(|| queue.wait());
            done.extend(next);
        }
        done.sort_unstable();
        assert_eq!(done, window.map(|job| job * 10).collect::<Vec<_>>());
    }
    queue.close();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn each_job_is_done_once_and_nobody_waits_for_ever() {
    for workers in [1, 2, 3] {
        shuttle::check_random(move || tried(workers), 1000);
        shuttle::check_pct(move || tried(workers), 300, 3);
    }
}

#[test]
fn without_a_worker_the_helper_does_all() {
    shuttle::check_random(|| tried(0), 10);
}
