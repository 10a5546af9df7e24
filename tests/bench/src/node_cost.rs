//! What a node costs: how much of what it serves must come from upstream or from the tier, on traces whose popularity
//! follows Zipf's law, with the very plan by which a node makes room.
//!
//! Nothing is measured here and nothing is sent: it is a simulation. It leaves out what small files cost in requests, that
//! clients ask again what they have cached, and that popularity differs by the time of day.

mod disk;
mod trace;

use std::{collections::HashSet, process::ExitCode};

use anyhow::Result;

use self::{
    disk::{By, Disk},
    trace::{Catalogue, Draw},
};

/// How skewed popularity is: the share of the n-th most popular repo goes as n to the power of minus this.
const SKEWS: [f64; 4] = [0.6, 0.8, 1.0, 1.2];
/// The disks, as shares of all that upstream has.
const DISKS_PERCENT: [u64; 5] = [1, 3, 10, 30, 60];
/// How many nodes share a tier.
const NODES: [usize; 3] = [1, 10, 1000];
/// How much a node is asked, so that what it has asked for last is a small part of its disk.
const SECONDS_BETWEEN_REQUESTS: u64 = 10;

/// What was served, and how much of it was not here.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    served: u64,
    served_bytes: u64,
    missed: u64,
    missed_bytes: u64,
}

impl Cost {
    fn add(&mut self, draw: &Draw, is_here: bool) {
        self.served += 1;
        self.served_bytes += draw.len_bytes;
        if !is_here {
            self.missed += 1;
            self.missed_bytes += draw.len_bytes;
        }
    }

    /// Returns how many GB are missed of each served TB.
    fn missed_gb(self) -> f64 {
        1000.0 * self.missed_bytes as f64 / self.served_bytes.max(1) as f64
    }

    /// Returns how many files are missed of each served TB.
    fn missed_files(self) -> f64 {
        1e12 * self.missed as f64 / self.served_bytes.max(1) as f64
    }

    fn hits_percent(self) -> f64 {
        100.0 * (1.0 - self.missed as f64 / self.served.max(1) as f64)
    }
}

/// How large the simulation is.
#[derive(Clone, Copy, Debug)]
struct Scale {
    repos: usize,
    /// How many requests each node that is played is asked, after as many to warm up.
    requests: usize,
}

/// Plays all cases, and prints a table.
pub(crate) fn all(quick: bool) -> Result<ExitCode> {
    let scale = match quick {
        true => Scale { repos: 200, requests: 2000 },
        false => Scale { repos: 1500, requests: 15_000 },
    };
    print!("{}", tables(scale));
    Ok(ExitCode::SUCCESS)
}

fn tables(scale: Scale) -> String {
    let mut text = String::from(
        "| skew | disk | hits | to be fetched of a served TB | files of a served TB |\n\
         |---:|---:|---:|---:|---:|\n",
    );
    for skew in SKEWS {
        for percent in DISKS_PERCENT {
            let cost = disk_alone(scale, skew, percent, By::Content);
            let (hits, gb, files) = (cost.hits_percent(), cost.missed_gb(), cost.missed_files());
            text += &format!("| {skew} | {percent} % | {hits:.0} % | {gb:.0} GB | {files:.0} |\n");
        }
    }
    text += "\n| skew | a tier of 1 node | 10 nodes | 1000 nodes |\n|---:|---:|---:|---:|\n";
    for skew in SKEWS {
        let [one, ten, many] = NODES.map(|nodes| tier(scale, skew, nodes).missed_gb());
        text += &format!("| {skew} | {one:.0} GB | {ten:.1} GB | {many:.2} GB |\n");
    }
    text += "\n| skew | disk | by content | by revision |\n|---:|---:|---:|---:|\n";
    for skew in [0.8, 1.0] {
        for percent in [3, 10, 30] {
            let missed = |by| disk_alone(scale, skew, percent, by).missed_gb();
            let (content, revision) = (missed(By::Content), missed(By::Revision));
            text += &format!("| {skew} | {percent} % | {content:.0} GB | {revision:.0} GB |\n");
        }
    }
    text
}

/// Plays one node, and says what its disk misses in the second half.
fn disk_alone(scale: Scale, skew: f64, percent: u64, by: By) -> Cost {
    let mut catalogue = Catalogue::new(scale.repos, skew);
    let mut disk = Disk::new(catalogue.len_bytes() / 100 * percent, by);
    let mut cost = Cost::default();
    for turn in 0..2 * scale.requests {
        let now = turn as u64 * SECONDS_BETWEEN_REQUESTS;
        catalogue.age(now);
        let draw = catalogue.draw();
        let is_here = disk.ask(&draw, now);
        if turn >= scale.requests {
            cost.add(&draw, is_here);
        }
    }
    cost
}

/// Plays a tier that forgets nothing, below so many nodes, and says what it misses in the second half: what a node has on its
/// disk was in the tier before, so only what nobody has asked for yet comes from upstream, whatever the disks are.
fn tier(scale: Scale, skew: f64, nodes: usize) -> Cost {
    let mut catalogue = Catalogue::new(scale.repos, skew);
    let (mut here, mut cost) = (HashSet::new(), Cost::default());
    for turn in 0..2 * scale.requests {
        catalogue.age(turn as u64 * SECONDS_BETWEEN_REQUESTS);
        for _ in 0..nodes {
            let draw = catalogue.draw();
            let is_here = !here.insert(draw.content);
            if turn >= scale.requests {
                cost.add(&draw, is_here);
            }
        }
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_disk_a_steeper_trace_and_more_nodes_cost_less() {
        let scale = Scale { repos: 60, requests: 600 };
        let missed = |skew, percent| disk_alone(scale, skew, percent, By::Content).missed_gb();
        assert!(missed(1.0, 30) < missed(1.0, 3));
        assert!(missed(1.2, 10) < missed(0.6, 10));
        let [one, ten] = [1, 10].map(|nodes| tier(scale, 1.0, nodes).missed_gb());
        assert!(ten < one && one <= missed(1.0, 60), "{ten}, {one}");
    }

    #[test]
    fn what_is_asked_for_again_and_fits_is_here() {
        let mut disk = Disk::new(100, By::Content);
        let draw = |repo, content, len_bytes| Draw { repo, file: 0, content, len_bytes };
        let asked = [
            (draw(1, 1, 40), 0, false),
            (draw(2, 2, 40), 400, false),
            (draw(1, 1, 40), 800, true),
            (draw(3, 3, 40), 1200, false),
            (draw(2, 2, 40), 1600, false),
            (draw(3, 3, 40), 2000, true),
            // Another revision has other content, and nothing is kept that is larger than the disk.
            (draw(3, 4, 40), 2400, false),
            (draw(4, 5, 101), 2800, false),
            (draw(4, 5, 101), 3200, false),
            // What was used a moment ago does not go.
            (draw(5, 6, 90), 3300, false),
            (draw(6, 7, 90), 3301, false),
            (draw(5, 6, 90), 3302, true),
        ];
        for (draw, now, is_here) in asked {
            assert_eq!(disk.ask(&draw, now), is_here, "{draw:?} at {now}");
        }
    }
}
