//! The gate with `shuttle`'s primitives: thousands of the orders in which its threads may run, from seeds.

mod sync {
    pub(super) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub(super) use std::sync::PoisonError;
}

#[allow(dead_code, reason = "not all of it is tried")]
#[path = "gate.rs"]
mod gate;

use gate::Gate;
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use shuttle::thread;

#[test]
fn a_producer_is_never_further_ahead_than_it_may_be_and_never_waits_for_ever() {
    let tried = || {
        let (gate, inside) = (Arc::new(Gate::new(2)), Arc::new(AtomicUsize::new(0)));
        let producer = {
            let (gate, inside) = (gate.clone(), inside.clone());
            thread::spawn(move || {
                for _ in 0..6 {
                    assert!(gate.enter());
                    assert!(inside.fetch_add(1, SeqCst) < 2);
                }
            })
        };
        let mut taken = 0;
        while taken < 6 {
            if inside.load(SeqCst) > 0 {
                inside.fetch_sub(1, SeqCst);
                gate.leave();
                taken += 1;
            }
            thread::yield_now();
        }
        producer.join().unwrap();
    };
    shuttle::check_random(tried, 2000);
    shuttle::check_pct(tried, 500, 3);
}

#[test]
fn a_gate_that_closes_wakes_whoever_waits_and_lets_nobody_in() {
    let tried = || {
        let gate = Arc::new(Gate::new(1));
        let producer = {
            let gate = gate.clone();
            thread::spawn(move || {
                let mut entered = 0;
                while gate.enter() {
                    entered += 1;
                }
                entered
            })
        };
        gate.close();
        assert!(producer.join().unwrap() <= 1);
        assert!(!gate.enter());
    };
    shuttle::check_random(tried, 2000);
    shuttle::check_pct(tried, 500, 3);
}
