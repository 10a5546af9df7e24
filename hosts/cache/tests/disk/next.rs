//! The run after one that was disturbed, on a disk that is healthy again.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use hubstow_core::facts::Force;

use crate::{
    rules::{self, Broken},
    scene::Scene,
    start::World,
    tree::Tree,
};

/// What follows upon a scene's disturbed runs.
pub(crate) struct Next<'a> {
    scene: &'a Scene,
    end: String,
    /// What has been followed up: a run knows nothing but the tree.
    tried: HashSet<u64>,
}

impl<'a> Next<'a> {
    /// Finds out how the scene ends when nothing disturbs it.
    pub(crate) fn of(scene: &'a Scene) -> Self {
        Self { scene, end: scene.calm().0.end(), tried: HashSet::new() }
    }

    /// Runs once more, unless that was done for the same tree.
    pub(crate) fn check(&mut self, world: &World, found: &Tree) -> Broken {
        let mut hasher = DefaultHasher::new();
        found.shape().hash(&mut hasher);
        if !self.tried.insert(hasher.finish()) {
            return Broken::new();
        }
        let run = self.scene.run_healthy(world);
        let end = world.tree();
        let mut broken = rules::always(found, &end);
        broken.extend(rules::acknowledged(&run, &end));
        // A folder that a peer has put at the pointer is not ours to remove.
        if run.end() != self.end && !run.end().contains("pointer-is-directory") {
            broken.push(format!("the next run ends `{}`, not `{}`", run.end(), self.end));
        }
        // A run that finds all in place does not look for what an earlier one could not remove; one that acts does.
        if run.result.is_ok() && !end.leftovers().is_empty() {
            Scene { force: Force::On, ..*self.scene }.run_healthy(world);
            broken.extend(rules::clean(&world.tree()));
        }
        broken
    }
}
