//! The order of groups while they grow: an acyclic graph with a running order kept up to date.
//!
//! The order is maintained as by Pearce and Kelly, "A dynamic topological sort algorithm for directed acyclic graphs"
//! (2006): an edge that agrees with the order costs nothing, another reorders only what lies between its ends.

use std::collections::BTreeSet;

/// Groups and which must run before which.
#[derive(Clone, Default, Debug)]
pub(super) struct Order {
    /// For each group those that come after it.
    pub after: Vec<BTreeSet<usize>>,
    before: Vec<BTreeSet<usize>>,
    rank: Vec<i64>,
    first: i64,
    last: i64,
}

impl Order {
    /// A new group that runs before all others.
    pub(super) fn push_front(&mut self) -> usize {
        self.first -= 1;
        self.push(self.first)
    }

    /// A new group that runs after all others.
    pub(super) fn push_back(&mut self) -> usize {
        self.last += 1;
        self.push(self.last)
    }

    fn push(&mut self, rank: i64) -> usize {
        self.after.push(BTreeSet::new());
        self.before.push(BTreeSet::new());
        self.rank.push(rank);
        self.rank.len() - 1
    }

    /// The place of a group in the running order.
    pub(super) fn rank(&self, group: usize) -> i64 {
        self.rank[group]
    }

    /// Whether `group` may run before all of `others`: no way leads from them to it.
    pub(super) fn allows(&self, group: usize, others: &[usize]) -> bool {
        let starts = others.iter().copied().filter(|&other| other != group && self.rank[other] < self.rank[group]);
        !self.forward(starts, self.rank[group]).contains(&group)
    }

    /// Lets `group` run before `other`, which must be allowed.
    pub(super) fn put(&mut self, group: usize, other: usize) {
        if group == other || !self.after[group].insert(other) {
            return;
        }
        self.before[other].insert(group);
        if self.rank[group] < self.rank[other] {
            return;
        }
        let forward = self.forward([other], self.rank[group]);
        debug_assert!(!forward.contains(&group), "a cycle of groups");
        let backward = self.backward(group, self.rank[other]);
        let by_rank = |set: BTreeSet<usize>| {
            let mut list: Vec<usize> = set.into_iter().collect();
            list.sort_by_key(|&group| self.rank[group]);
            list
        };
        let moved = [by_rank(backward), by_rank(forward)].concat();
        let mut ranks: Vec<i64> = moved.iter().map(|&group| self.rank[group]).collect();
        ranks.sort_unstable();
        for (group, rank) in moved.into_iter().zip(ranks) {
            self.rank[group] = rank;
        }
    }

    /// Lets `into` take over the place of `from`; no way may lead from one to the other.
    pub(super) fn merge(&mut self, into: usize, from: usize) {
        for next in std::mem::take(&mut self.after[from]) {
            self.before[next].remove(&from);
            self.put(into, next);
        }
        for previous in std::mem::take(&mut self.before[from]) {
            self.after[previous].remove(&from);
            self.put(previous, into);
        }
    }

    /// What can be reached from `starts` without passing that rank.
    fn forward(&self, starts: impl IntoIterator<Item = usize>, limit: i64) -> BTreeSet<usize> {
        let mut seen: BTreeSet<usize> = starts.into_iter().collect();
        let mut stack: Vec<usize> = seen.iter().copied().collect();
        while let Some(group) = stack.pop() {
            let next = self.after[group].iter().copied().filter(|&next| self.rank[next] <= limit);
            stack.extend(next.filter(|&next| seen.insert(next)));
        }
        seen
    }

    /// What reaches `goal` without passing that rank.
    fn backward(&self, goal: usize, limit: i64) -> BTreeSet<usize> {
        let mut seen = BTreeSet::from([goal]);
        let mut stack = vec![goal];
        while let Some(group) = stack.pop() {
            let next = self.before[group].iter().copied().filter(|&next| self.rank[next] >= limit);
            stack.extend(next.filter(|&next| seen.insert(next)));
        }
        seen
    }
}
