//! Reachability: the one function that says what stays.

use alloc::{vec, vec::Vec};

use super::held::Id;

/// Returns, for each of so many entries, whether it is one of the roots or is reached from one over `refs`.
pub(super) fn reach<R: IntoIterator<Item = Id>>(
    entries: usize,
    roots: impl IntoIterator<Item = Id>,
    refs: impl Fn(Id) -> R,
) -> Vec<bool> {
    let mut reached = vec![false; entries];
    let mut todo: Vec<Id> = roots.into_iter().collect();
    while let Some(id) = todo.pop() {
        if let Some(mark) = reached.get_mut(id.place())
            && !*mark
        {
            *mark = true;
            todo.extend(refs(id));
        }
    }
    reached
}
