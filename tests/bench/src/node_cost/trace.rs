//! What clients ask for: repos by Zipf's law, and in each repo a few files much more than the others.

use std::collections::HashMap;

/// How many files a repo has.
const FILES_OF_REPO: usize = 8;
/// How skewed popularity is among the files of a repo, as one of several quantizations is.
const SKEW_IN_REPO: f64 = 1.0;
/// Files are as long as numbers between these whose logarithms are spread evenly: 1.4 GB on average.
const SHORTEST_BYTES: f64 = 1e7;
const LONGEST_BYTES: f64 = 1e10;
/// How many of a thousand repos are replaced by a new revision each day.
const RENEWED_A_DAY: u64 = 5;
const DAY_S: u64 = 86_400;

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    pub(super) repo: usize,
    pub(super) file: usize,
    /// Which content that is now.
    pub(super) content: u64,
    pub(super) len_bytes: u64,
}

/// All that upstream has, and what of it is asked for.
pub(super) struct Catalogue {
    /// The sums of the shares of repos, from the most popular on.
    repos: Vec<f64>,
    files: Vec<f64>,
    lengths: Vec<u64>,
    /// How often a repo was renewed.
    renewed: HashMap<usize, u64>,
    renewals: u64,
    random: Random,
}

impl Catalogue {
    pub(super) fn new(repos: usize, skew: f64) -> Self {
        let mut random = Random(1);
        let lengths = (0..repos * FILES_OF_REPO).map(|_| {
            let span = (LONGEST_BYTES / SHORTEST_BYTES).ln();
            (SHORTEST_BYTES * (random.share() * span).exp()) as u64
        });
        let lengths = lengths.collect();
        let (repos, files) = (sums(repos, skew), sums(FILES_OF_REPO, SKEW_IN_REPO));
        Self { repos, files, lengths, renewed: HashMap::new(), renewals: 0, random }
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.lengths.iter().sum()
    }

    /// Gives as many repos a new revision as have had one by then. All of its content is new.
    pub(super) fn age(&mut self, now: u64) {
        let repos = self.repos.len() as u64;
        let due = now * repos * RENEWED_A_DAY / (1000 * DAY_S);
        while self.renewals < due {
            self.renewals += 1;
            let repo = (self.random.next() % repos) as usize;
            *self.renewed.entry(repo).or_default() += 1;
        }
    }

    pub(super) fn draw(&mut self) -> Draw {
        let repo = place(&self.repos, self.random.share());
        let file = place(&self.files, self.random.share());
        let number = repo * FILES_OF_REPO + file;
        let renewed = self.renewed.get(&repo).copied().unwrap_or(0);
        let content = renewed * self.lengths.len() as u64 + number as u64;
        let len_bytes = self.lengths.get(number).copied().unwrap_or(0);
        Draw { repo, file, content, len_bytes }
    }
}

fn sums(count: usize, skew: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let shares = (1..=count).map(|rank| (rank as f64).powf(-skew));
    let sums: Vec<f64> = shares
        .map(|share| {
            sum += share;
            sum
        })
        .collect();
    sums.into_iter().map(|part| part / sum).collect()
}

fn place(sums: &[f64], share: f64) -> usize {
    sums.partition_point(|sum| *sum < share).min(sums.len().saturating_sub(1))
}

/// Numbers that look random and are the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 up to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
