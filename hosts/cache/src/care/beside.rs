//! The same work on many things, on several threads where there are any.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// How many threads work: more do not help one disk.
const THREAD_LIMIT: usize = 8;

/// Returns how many threads work on one disk.
pub(crate) fn threads() -> usize {
    processors().min(THREAD_LIMIT)
}

/// Returns how many processors there are.
#[must_use]
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does the work on each, on as many threads as help; what comes back is in their order.
pub(crate) fn each<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    each_with(things, threads(), || (), |(), thing| work(thing))
}

/// Does the work on each, on so many threads at most, each of which has something of its own for it; what comes back is in their
/// order.
pub fn each_with<T: Sync, S, R: Send>(
    things: &[T],
    threads: usize,
    own: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    if things.is_empty() {
        return Vec::new();
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(things.len()));
    let take = || {
        let mut own = own();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(thing) = things.get(place) else { return };
            let found = work(&mut own, thing);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((place, found));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(things.len()) {
            // A host without threads does it all on this one.
            let _ = thread::Builder::new().spawn_scoped(scope, take);
        }
        take();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, found)| found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_in_the_order_of_what_was_given() {
        let numbers: Vec<u64> = (0..1000).collect();
        let squares = each(&numbers, |number| {
            if number % 7 == 0 {
                thread::yield_now();
            }
            number * number
        });
        let expected: Vec<u64> = numbers.iter().map(|number| number * number).collect();
        assert_eq!(squares, expected);
        assert!(each(&[] as &[u64], |number| *number).is_empty());
    }
}
