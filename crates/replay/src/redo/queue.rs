//! Jobs for several threads, and what becomes of them: the one place where threads of redo meet.
//!
//! The primitives come from the module above, so that a test can put `shuttle`'s in their place and try the ways in which threads meet.

use super::sync::{Arc, Mutex, Receiver, Sender, channel};

/// The side that has the jobs.
pub(super) struct Queue<Job, Done> {
    waiting: Arc<Mutex<Receiver<Job>>>,
    jobs: Option<Sender<Job>>,
    finished: Sender<Done>,
    done: Receiver<Done>,
}

/// The side of a thread that works.
pub(super) struct Worker<Job, Done> {
    waiting: Arc<Mutex<Receiver<Job>>>,
    finished: Sender<Done>,
}

impl<Job, Done> Queue<Job, Done> {
    pub fn new() -> Self {
        let (jobs, waiting) = channel();
        let (finished, done) = channel();
        Self { waiting: Arc::new(Mutex::new(waiting)), jobs: Some(jobs), finished, done }
    }
    pub fn worker(&self) -> Worker<Job, Done> {
        Worker { waiting: self.waiting.clone(), finished: self.finished.clone() }
    }
    pub fn give(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The other end is here as well.
            _ = jobs.send(job);
        }
    }
    /// A job that no worker has taken yet. A worker waits for jobs with the lock held, so nobody waits for the lock here.
    pub fn help(&self) -> Option<Job> {
        self.waiting.try_lock().ok()?.try_recv().ok()
    }
    /// Waits for a job that a worker has.
    pub fn wait(&self) -> Option<Done> {
        self.done.recv().ok()
    }
    /// No further job comes: workers end when the queue is empty.
    pub fn close(&mut self) {
        self.jobs = None;
    }
}

impl<Job, Done> Worker<Job, Done> {
    /// Does jobs until the queue is closed.
    pub fn run(self, mut work: impl FnMut(Job) -> Done) {
        loop {
            // The lock is free again when a job was taken.
            let job = self.waiting.lock().map(|waiting| waiting.recv());
            let Ok(Ok(job)) = job else { break };
            if self.finished.send(work(job)).is_err() {
                break;
            }
        }
    }
}
