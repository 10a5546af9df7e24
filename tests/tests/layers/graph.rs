//! Which files of a crate import which, and the circles among them.

use std::{collections::BTreeSet, fs, path::Path};

use crate::imports::{files, named};

/// The files of one crate, by their paths below `src`, and the imports between them.
pub(crate) struct Graph {
    files: Vec<String>,
    imports: BTreeSet<(usize, usize)>,
}

impl Graph {
    /// Reads the sources below a folder.
    pub(crate) fn of(folder: &Path) -> Self {
        let paths = files(folder);
        let below = |path: &Path| {
            let below = path.strip_prefix(folder).unwrap();
            below.to_str().unwrap().replace('\\', "/")
        };
        let names: Vec<_> = paths.iter().map(|path| below(path)).collect();
        let modules: Vec<_> = names.iter().map(|name| module(name)).collect();
        let mut imports = BTreeSet::new();
        for (from, path) in paths.iter().enumerate() {
            let text = fs::read_to_string(path).unwrap();
            for named in named(&text, &modules[from]) {
                // The longest beginning that is a file: what follows are its items.
                let is_file = |len: &usize| modules.iter().position(|it| *it == named[..*len]);
                let to = (0..=named.len()).rev().find_map(|len| is_file(&len));
                if let Some(to) = to.filter(|to| *to != from) {
                    imports.insert((from, to));
                }
            }
        }
        Self { files: names, imports }
    }

    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }

    /// Returns who imports from whom.
    pub(crate) fn imports(&self) -> impl Iterator<Item = (&str, &str)> {
        let name = |at: &usize| self.files[*at].as_str();
        self.imports.iter().map(move |(from, to)| (name(from), name(to)))
    }

    /// Returns the groups of files each of which imports, over however many others, all the rest of its group. The root
    /// of the crate is in none: it only names what there is.
    pub(crate) fn circles(&self) -> Vec<Vec<String>> {
        let reached: Vec<_> = (0..self.files.len()).map(|from| self.reached(from)).collect();
        let mut circles = BTreeSet::new();
        for from in 0..self.files.len() {
            let circle: Vec<_> = (0..self.files.len())
                .filter(|to| reached[from].contains(to) && reached[*to].contains(&from))
                .map(|to| self.files[to].clone())
                .collect();
            circles.insert(circle);
        }
        circles.into_iter().filter(|circle| circle.len() > 1).collect()
    }

    fn reached(&self, from: usize) -> BTreeSet<usize> {
        let (mut reached, mut todo) = (BTreeSet::new(), vec![from]);
        while let Some(file) = todo.pop() {
            let next = self.imports.iter().filter(|(from, _)| *from == file).map(|(_, to)| *to);
            let next = next.filter(|to| !["lib.rs", "main.rs"].contains(&self.files[*to].as_str()));
            todo.extend(next.filter(|to| reached.insert(*to)));
        }
        reached
    }
}

/// Returns the module that a file is.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if ["lib", "main", "mod"].contains(&path) {
        return Vec::new();
    }
    path.split('/').map(str::to_owned).collect()
}
