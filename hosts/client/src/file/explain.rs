//! What would be done and why: the same questions, put to the core without doing anything.

use std::fmt::Write as _;

use hubstow_cache::{
    Cache,
    observe::{Observed, OwnFacts},
};
use hubstow_core::{
    action::{Action, Decision, Lookup, Source},
    facts::{Force, PlaceFacts, ResolveFacts, Staged},
    model::{DiskKind, End, Model, Round},
    policy::Method,
    resolve::Resolution,
    why::{Reason, Refusal},
};

use crate::{
    api::{
        error::Error,
        report::{Done, Explanation, ExplanationLink, FileReport},
        request::FileRequest,
    },
    engine::Engine,
    file::content::{Content, Resolved},
};

impl Engine {
    /// Says what a download would do and why, without writing anything.
    pub(crate) async fn explain(&self, request: &FileRequest) -> Result<Explanation, Error> {
        let cache = self.cache.looking_only();
        let mut chain = Vec::new();
        let resolved = self.resolve(&cache, request, None, &mut chain).await?;
        let (commit, etag, size) = match resolved {
            Resolved::Cached(cached) => (cached.commit, cached.etag, cached.size),
            Resolved::Found(content) => {
                let target = content.target.clone();
                let (engine, force) = (self.clone(), request.force);
                let foreseen =
                    cache.run(move |cache, _| engine.foresee(cache, &content, force)).await??;
                chain.extend(foreseen.links());
                (target.commit, Some(target.etag), target.size)
            }
        };
        let at = self.layout(&request.repo).pointer(&commit, &request.file);
        Ok(Explanation {
            file: request.file.clone(),
            revision: request.revision.clone(),
            commit: Some(commit),
            etag,
            size,
            path: Some(cache.native(&at)),
            chain,
            endpoints: self.http.asked(),
        })
    }

    /// Looks at what is there and lets the core foresee the rest. It blocks.
    pub(crate) fn foresee(
        &self,
        cache: &Cache,
        content: &Content,
        force: Force,
    ) -> Result<Foreseen, Error> {
        let staged = match cache.leftover_bytes(&content.target) {
            0 => Staged::Absent,
            _ => Staged::Partial,
        };
        let own = OwnFacts::at_first(force.into(), staged);
        let Observed { facts, .. } = cache.observe(&content.target, own)?;
        let disk = DiskKind::ALL_LINKS;
        let (rounds, end) = self.decider.forecast(&facts, disk)?;
        Ok(Foreseen { facts, rounds, end })
    }

    /// Says what would be reported of a file. It blocks.
    pub(crate) fn foretell(
        &self,
        cache: &Cache,
        content: &Content,
        force: Force,
    ) -> Result<FileReport, Error> {
        let Foreseen { rounds, end, .. } = self.foresee(cache, content, force)?;
        let refused = |refusal: Refusal| {
            Error::new(
                refusal.into(),
                format!("`{}` can't be placed: {refusal}", content.target.file),
            )
        };
        let fetched = rounds.iter().any(|round| round.action == Action::Fetch);
        let placed = placed(&rounds);
        let reused = match end {
            End::Reuse(reason) => reason,
            End::Refuse(refusal) => return Err(refused(refusal)),
            End::Unfinished => return Err(refused(Refusal::NoMethodLeft)),
        };
        let action = match (fetched, placed) {
            (true, _) => Done::Fetched,
            (false, Some(_)) => Done::Placed,
            (false, None) => Done::Reused,
        };
        let target = &content.target;
        Ok(FileReport {
            file: target.file.clone(),
            path: cache.disk().native(&target.pointer()),
            commit: target.commit.clone(),
            size: target.size,
            etag: Some(target.etag.clone()),
            action,
            by: placed.map(|((by, _), _)| by),
            reason: placed.map_or(reused, |(_, reason)| reason),
        })
    }
}

/// Returns how a file got to its place at last, and why so; `None` where it was there.
pub(super) fn placed(rounds: &[Round]) -> Option<((Method, Source), Reason)> {
    rounds.iter().rev().find_map(|round| match round.action {
        Action::Place { by, from, .. } => Some(((by, from), round.reason)),
        Action::Lookup(_)
        | Action::Mark
        | Action::Probe(_)
        | Action::Fetch
        | Action::Seal { .. }
        | Action::Point => None,
    })
}

impl ExplanationLink {
    pub(crate) fn resolve(facts: &ResolveFacts, resolution: &Resolution) -> Self {
        let facts = [
            ("revision", facts.revision.code()),
            ("reach", facts.reach.code()),
            ("force", facts.force.code()),
            ("stale", facts.stale.code()),
            ("cached", facts.cached.code()),
            ("marker", facts.marker.code()),
            ("answer", facts.answer.code()),
        ];
        let (decision, reason) = match *resolution {
            Resolution::Serve(served, reason) => (format!("serve {served}"), Ok(reason)),
            Resolution::Act(action, reason) => (words(action), Ok(reason)),
            Resolution::Proceed(reason) => ("proceed".to_owned(), Ok(reason)),
            Resolution::Refuse(refusal) => (format!("refuse {refusal}"), Err(refusal)),
        };
        Self::new("resolve", &facts, decision, reason)
    }

    fn place(facts: &PlaceFacts, decision: &Decision) -> Self {
        let named = [
            ("policy", facts.policy.code()),
            ("demand", facts.demand.code()),
            ("pointer", facts.pointer.code()),
            ("blob", facts.blob.code()),
            ("staged", facts.staged.code()),
            ("twin", facts.twin.code()),
            ("symlink", facts.methods.support(Method::Symlink).code()),
            ("hardlink", facts.methods.support(Method::Hardlink).code()),
            ("reflink", facts.methods.support(Method::Reflink).code()),
            ("ref-file", facts.ref_file.code()),
        ];
        let (words, reason) = match *decision {
            Decision::Reuse(reason) => ("reuse".to_owned(), Ok(reason)),
            Decision::Act(action, reason) => (words(action), Ok(reason)),
            Decision::Refuse(refusal) => (format!("refuse {refusal}"), Err(refusal)),
        };
        let mut link = Self::new("place", &named, words, reason);
        if let Decision::Act(Action::Probe(_), _) = decision {
            // Only doing it would tell, and nothing is done here.
            link.because.push_str("; what follows takes it to work");
        }
        link
    }

    fn new(
        question: &'static str,
        facts: &[(&str, &str)],
        decision: String,
        reason: Result<Reason, Refusal>,
    ) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let because = match reason {
            Ok(reason) => reason.sentence().to_owned(),
            Err(refusal) => format!("nothing right can be done: {refusal}"),
        };
        Self {
            question,
            facts: facts.iter().map(owned).collect(),
            decision,
            reason: reason.ok(),
            because,
        }
    }
}

/// What there is, and what would follow from it.
pub(crate) struct Foreseen {
    facts: PlaceFacts,
    pub(crate) rounds: Vec<Round>,
    end: End,
}

impl Foreseen {
    /// Replays it, so that each round shows the facts it would be decided on.
    fn links(&self) -> Vec<ExplanationLink> {
        let mut model = Model::foreseen(&self.facts, DiskKind::ALL_LINKS);
        let mut links = Vec::new();
        for round in &self.rounds {
            links.push(ExplanationLink::place(
                &model.facts,
                &Decision::Act(round.action, round.reason),
            ));
            model.go_on(round.action);
        }
        match self.end {
            End::Reuse(reason) => {
                links.push(ExplanationLink::place(&model.facts, &Decision::Reuse(reason)));
            }
            End::Refuse(refusal) => {
                links.push(ExplanationLink::place(&model.facts, &Decision::Refuse(refusal)));
            }
            End::Unfinished => {}
        }
        links
    }
}

fn words(action: Action) -> String {
    match action {
        Action::Lookup(Lookup::Conditional) => "lookup conditional".to_owned(),
        Action::Lookup(Lookup::Plain) => "lookup plain".to_owned(),
        Action::Mark => "mark".to_owned(),
        Action::Probe(method) => format!("probe {method}"),
        Action::Fetch => "fetch".to_owned(),
        Action::Seal { from, over } => format!("seal from {from} over {over}"),
        Action::Place { by, from, over } => format!("place {by} from {from} over {over}"),
        Action::Point => "point".to_owned(),
    }
}

/// Writes a chain for people: each question's decision and its reason.
impl std::fmt::Display for ExplanationLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut facts = String::new();
        for (name, value) in &self.facts {
            let _ = write!(facts, " {name}={value}");
        }
        write!(f, "{}:{facts} → {} ({})", self.question, self.decision, self.because)
    }
}
