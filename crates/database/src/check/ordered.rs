//! Work on several threads whose results come out in the order of the work.

use super::gate::{Closing, Gate};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, mpsc};

/// Pieces of work that may be under way or done but not yet taken, for each thread: what bounds the memory.
const AHEAD: usize = 4;

/// Gives every item that `produce` pushes to `work`, on `threads` threads each with a `state` of its own, and hands the results to `take`
/// in the order in which the items were pushed, on the caller's thread. `push` says whether to go on: `take` ends the work by `false`.
pub(super) fn ordered<Item: Send, Result: Send, State>(
    threads: usize,
    produce: impl FnOnce(&mut dyn FnMut(Item) -> bool) + Send,
    state: impl Fn() -> State + Sync,
    work: impl Fn(&mut State, Item) -> Result + Sync,
    mut take: impl FnMut(Result) -> bool,
) {
    if threads <= 1 {
        let mut state = state();
        produce(&mut |item| take(work(&mut state, item)));
        return;
    }
    let gate = Gate::new(AHEAD * threads);
    let (items, source) = mpsc::channel::<(u64, Item)>();
    let source = Mutex::new(source);
    let (results, done) = mpsc::channel::<(u64, Result)>();
    std::thread::scope(|scope| {
        let (gate, source, state, work) = (&gate, &source, &state, &work);
        for _ in 0..threads {
            let results = results.clone();
            scope.spawn(move || {
                let _closing = Closing(gate);
                let mut state = state();
                loop {
                    let next = source.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((number, item)) = next else { return };
                    if results.send((number, work(&mut state, item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        scope.spawn(move || {
            let _closing = Closing(gate);
            let mut number = 0;
            produce(&mut |item| {
                let go_on = gate.enter() && items.send((number, item)).is_ok();
                number += 1;
                go_on
            });
        });
        let (mut waiting, mut next) = (BTreeMap::new(), 0);
        for (number, result) in done {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&next) {
                next += 1;
                if !take(result) {
                    gate.close();
                }
                gate.leave();
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_work_whatever_the_threads_do() {
        for threads in [1, 2, 7] {
            let mut taken = Vec::new();
            let produce = |push: &mut dyn FnMut(u32) -> bool| (0..500).for_each(|item| assert!(push(item)));
            let work = |_: &mut (), item: u32| {
                if item % 17 == 0 {
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
                item * 2
            };
            ordered(
                threads,
                produce,
                || (),
                work,
                |result| {
                    taken.push(result);
                    true
                },
            );
            assert_eq!(taken, (0..500).map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_work_ends_soon_after_its_taker_says_so() {
        for threads in [1, 4] {
            let mut taken = 0;
            let mut pushed = 0;
            let produce = |push: &mut dyn FnMut(u32) -> bool| {
                while push(pushed) {
                    pushed += 1;
                }
            };
            ordered(
                threads,
                produce,
                || (),
                |_: &mut (), item| item,
                |_| {
                    taken += 1;
                    taken < 10
                },
            );
            assert!(taken >= 10 && pushed < 100, "{taken} of {pushed}");
        }
    }
}
