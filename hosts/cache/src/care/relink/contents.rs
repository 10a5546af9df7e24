//! What the files of a cache are proved to hold, for a plan and for carrying it out.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use hubstow_core::{
    care::{
        Id,
        relink::{Known, Rules, State},
    },
    layout::{CachePath, RepoLayout},
    name::{Commit, ContentHash, Etag, FileName},
};

use crate::{
    cache::{
        clock::{Asked, DiskTime, TICK},
        proofs::{Since, Verdict},
    },
    care::{
        inventory::{Inventory, Item},
        relink::{
            digest::{Digests, Job, hash_all},
            survey::{Found, Question, survey},
            told::{Promises, Tell},
        },
    },
    disk::{Entry, failure::FsError},
    fresh_nonce,
    observe::{
        cached::{FLATTENED_LIMIT_BYTES, etag_left_in},
        settled::is_old,
        view::View,
    },
};

/// What the files of a cache are proved to hold.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// What the core is told of each entry, at its place.
    pub known: Vec<Option<Known>>,
    /// How many bytes were read to find that out.
    pub hashed_bytes: u64,
    /// The blobs that they are or belong into, by number.
    pub(crate) slots: Vec<Slot>,
    /// Of which commit and file each pointer is.
    pub(crate) pointers: HashMap<Id, (Commit, FileName)>,
    /// The pointers that belong to each blob.
    pub(crate) pointers_of: HashMap<u64, Vec<Id>>,
}

/// A blob of a repo, there or not.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) layout: RepoLayout,
    pub(crate) etag: Etag,
    /// A pointer that belongs to it.
    pub(crate) pointer: Option<(Commit, FileName)>,
}

impl Contents {
    /// Returns of which commit and file a pointer is.
    #[must_use]
    pub fn file_of(&self, id: Id) -> Option<&(Commit, FileName)> {
        self.pointers.get(&id)
    }

    /// Returns the blob that an entry is or belongs into.
    pub(crate) fn slot_of(&self, id: Id) -> Option<(u64, &Slot)> {
        let known = self.known.get(id.place())?.as_ref()?;
        Some((known.blob, self.slots.get(usize::try_from(known.blob).ok()?)?))
    }
}

impl View {
    /// Finds out what the files hold that a conversion by these rules may be about. What no record proves is read, each file
    /// once, some beside each other.
    ///
    /// # Errors
    /// That it was cancelled.
    pub fn contents(
        &self,
        inventory: &Inventory,
        rules: &Rules,
        promises: Promises<'_>,
        tell: &Tell,
    ) -> Result<Contents, FsError> {
        let view = &self.recording_apart();
        let clock = self.ask_clock(inventory);
        let mut found = survey(view, inventory, rules, promises);
        let mut asking = Asking { view, jobs: Vec::new(), by_file: HashMap::new() };
        for found in &mut found {
            let asked = !found.questions.is_empty();
            let commits = found.pointers.values().map(|(commit, _)| commit).filter(|_| asked);
            for commit in commits.collect::<BTreeSet<_>>() {
                self.recall_proofs(&found.layout, commit);
            }
            asking.ask(inventory, found);
        }
        let (since, jobs) = (Instant::now(), asking.jobs);
        let digests = hash_all(view, &jobs, tell);
        self.cancel.check().map_err(|error| FsError::io("read", &CachePath::root(), error))?;
        let mut sorting = Sorting {
            view,
            jobs: &jobs,
            digests: &digests,
            since: &|entry| clock.since(entry, since),
            same: HashMap::new(),
            contents: Contents { known: vec![None; inventory.items.len()], ..Contents::default() },
        };
        for found in &found {
            sorting.sort(inventory, found);
        }
        let mut contents = sorting.contents;
        contents.pointers = found.into_iter().flat_map(|found| found.pointers).collect();
        for id in contents.pointers.keys() {
            if let Some(known) = contents.known.get(id.place()).copied().flatten() {
                contents.pointers_of.entry(known.blob).or_default().push(*id);
            }
        }
        contents.hashed_bytes = jobs.iter().map(|job| job.entry.len_bytes).sum();
        Ok(contents)
    }

    /// Asks the disk for its time, where something may be written.
    fn ask_clock(&self, inventory: &Inventory) -> Clock {
        if self.is_looking_only() || inventory.repos.is_empty() {
            return Clock(None);
        }
        let fresh = self.cache.in_probe_folder(|| {
            Ok(self.cache.fresh_entry(&RepoLayout::probe_file(&fresh_nonce()?)))
        });
        Clock(fresh.ok().flatten().map(|entry| Asked::now(Some(&entry))))
    }
}

/// What the disk's clock said before anything was read.
struct Clock(Option<Asked>);

impl Clock {
    /// Says since when a file that was read after that has been what it is.
    fn since(&self, entry: &Entry, read: Instant) -> Since {
        let modified = DiskTime::of_content(&entry.identity);
        let is_after = |asked: &Asked| {
            modified.is_some_and(|modified| asked.is_after(&entry.identity, modified))
        };
        let settled = is_old(&entry.identity) || self.0.as_ref().is_some_and(is_after);
        if settled { Since::Long } else { Since::Moment(read) }
    }
}

/// What is asked of files, each once.
struct Asking<'a> {
    view: &'a View,
    jobs: Vec<Job>,
    by_file: HashMap<(u64, u128), usize>,
}

impl Asking<'_> {
    /// Answers what is known of the files of a repo, and has the others read.
    fn ask(&mut self, inventory: &Inventory, found: &mut Found) {
        for question in &mut found.questions {
            let Some(item) = inventory.content_of(question.id) else { continue };
            let Some(entry) = item.entry.as_ref() else { continue };
            if let Some(etag) = &question.etag {
                let verdict = self.view.knows(&found.layout, etag, question.size, entry);
                // An etag that is no hash proves nothing of what is compared with it.
                let tells = !question.compares || verdict == Some(Verdict::Torn);
                question.verdict = verdict.filter(|_| tells);
            } else {
                question.proved = self.view.proofs.etag_of(&entry.identity, TICK);
                if question.proved.is_none() {
                    self.look_for_link(found.pointers.get(&question.id), item, entry, question);
                }
            }
            if question.verdict.is_none() && question.proved.is_none() && !question.is_closed {
                question.job = Some(self.read(item, entry, question.etag.as_ref()));
            }
        }
    }

    /// What is left of a link is no content.
    fn look_for_link(
        &self,
        place: Option<&(Commit, FileName)>,
        item: &Item,
        entry: &Entry,
        question: &mut Question,
    ) {
        let Some((_, file)) = place else { return };
        if entry.len_bytes > FLATTENED_LIMIT_BYTES {
            return;
        }
        match self.view.read(&item.at, FLATTENED_LIMIT_BYTES) {
            Some(content) => {
                if let Some(etag) = etag_left_in(&content, file) {
                    (question.etag, question.verdict) = (Some(etag), Some(Verdict::Torn));
                }
            }
            None => question.is_closed = true,
        }
    }

    /// Has a file read for the hash that an etag names, or for both.
    fn read(&mut self, item: &Item, entry: &Entry, etag: Option<&Etag>) -> usize {
        let identity = &entry.identity;
        let new = self.jobs.len();
        let place = if entry.names > 1 {
            *self.by_file.entry((identity.device, identity.file)).or_insert(new)
        } else {
            new
        };
        if place == new {
            let (at, entry) = (item.at.clone(), entry.clone());
            self.jobs.push(Job { at, entry, sha256: false, git_sha1: false });
        }
        if let Some(job) = self.jobs.get_mut(place) {
            let kind = etag.map_or(ContentHash::Opaque, Etag::content_hash);
            job.sha256 |= kind != ContentHash::GitBlobSha1;
            job.git_sha1 |= kind != ContentHash::Sha256;
        }
        place
    }
}

/// What was found, being told to the core.
struct Sorting<'a> {
    view: &'a View,
    jobs: &'a [Job],
    digests: &'a [Option<Digests>],
    since: &'a dyn Fn(&Entry) -> Since,
    /// The number of equal bytes, by disk and hash.
    same: HashMap<(u64, String), u64>,
    contents: Contents,
}

/// What became of a question.
enum Answer {
    Proved(Etag, u64),
    Damaged(Etag),
    Unproved(Etag),
    /// Nothing is to be done about it.
    None,
}

impl Sorting<'_> {
    fn sort(&mut self, inventory: &Inventory, found: &Found) {
        let len = |id: Id| Some(inventory.content_of(id)?.entry.as_ref()?.len_bytes);
        let mut slots: BTreeMap<Etag, u64> = BTreeMap::new();
        let mut answers: Vec<(Id, Answer)> = Vec::new();
        for question in &found.questions {
            answers.push((question.id, self.answer(inventory, found, question)));
        }
        for (id, answer) in answers {
            let (etag, state) = match answer {
                Answer::Proved(etag, same) => (etag, State::Proved(same)),
                Answer::Damaged(etag) => (etag, State::Damaged),
                Answer::Unproved(etag) => (etag, State::Unproved),
                Answer::None => continue,
            };
            self.tell(found, &mut slots, id, etag, state);
        }
        // A blob that was not looked into is not what its name says if the content lies elsewhere and has another length.
        let lengths: HashMap<u64, u64> = found
            .questions
            .iter()
            .filter_map(|question| {
                let known = self.known(question.id)?;
                let is_proved = matches!(known.state, State::Proved(_));
                is_proved.then_some((known.blob, len(question.id)?))
            })
            .collect();
        let torn = |(id, etag): &(&Id, &Etag)| {
            let real = slots.get(etag).and_then(|slot| lengths.get(slot));
            self.known(**id).is_none() && real.is_some_and(|real| len(**id) != Some(*real))
        };
        let torn: Vec<(Id, Etag)> =
            found.blobs.iter().filter(torn).map(|(id, etag)| (*id, etag.clone())).collect();
        for (id, etag) in torn {
            self.tell(found, &mut slots, id, etag, State::Damaged);
        }
        for (id, blob) in found.twins.iter().chain(&found.links) {
            if let (Some(known), Some(etag)) = (self.known(*blob), found.blobs.get(blob)) {
                self.tell(found, &mut slots, *id, etag.clone(), known.state);
            }
        }
        for (id, etag) in &found.dangling {
            let same = self.number(&[(0, etag.as_str().to_owned())]);
            self.tell(found, &mut slots, *id, etag.clone(), State::Proved(same));
        }
    }

    fn known(&self, id: Id) -> Option<Known> {
        *self.contents.known.get(id.place())?
    }

    fn tell(
        &mut self,
        found: &Found,
        slots: &mut BTreeMap<Etag, u64>,
        id: Id,
        etag: Etag,
        state: State,
    ) {
        let all = &mut self.contents.slots;
        let blob = *slots.entry(etag.clone()).or_insert_with(|| {
            all.push(Slot { layout: found.layout.clone(), etag, pointer: None });
            all.len() as u64 - 1
        });
        let slot = usize::try_from(blob).ok().and_then(|place| all.get_mut(place));
        if let (Some(slot), Some(pointer)) = (slot, found.pointers.get(&id)) {
            slot.pointer.get_or_insert_with(|| pointer.clone());
        }
        if let Some(known) = self.contents.known.get_mut(id.place()) {
            *known = Some(Known { blob, state });
        }
    }

    fn answer(&mut self, inventory: &Inventory, found: &Found, question: &Question) -> Answer {
        let item = inventory.content_of(question.id);
        let Some(entry) = item.and_then(|item| item.entry.as_ref()) else { return Answer::None };
        let disk = entry.identity.device;
        let plain = |etag: &Etag| vec![(disk, etag.as_str().to_owned())];
        if let Some(etag) = &question.proved {
            return Answer::Proved(etag.clone(), self.number(&plain(etag)));
        }
        let digests = question.job.and_then(|job| self.digests.get(job)?.as_ref());
        match (&question.etag, question.verdict, digests) {
            (Some(etag), Some(Verdict::Holds), _) => {
                Answer::Proved(etag.clone(), self.number(&plain(etag)))
            }
            (Some(etag), Some(Verdict::Torn), _) => Answer::Damaged(etag.clone()),
            (Some(etag), None, Some(digests)) => {
                let kind = etag.content_hash();
                let is_it = kind == ContentHash::Opaque || digests.of_kind(kind) == Some(etag);
                if !is_it {
                    self.view.proofs.torn(etag, &entry.identity);
                    return Answer::Damaged(etag.clone());
                }
                self.proved(etag, question.job);
                Answer::Proved(etag.clone(), self.number(&keys(disk, digests)))
            }
            (Some(etag), None, None) => Answer::Unproved(etag.clone()),
            (None, _, Some(digests)) => {
                let digests_of = |job: usize| self.digests.get(job).cloned().flatten();
                match found.name(question, entry.len_bytes, digests, &digests_of) {
                    Some(etag) => {
                        self.proved(&etag, question.job);
                        Answer::Proved(etag, self.number(&keys(disk, digests)))
                    }
                    None => unproved(question.id),
                }
            }
            (None, _, None) => unproved(question.id),
        }
    }

    /// Remembers what reading has shown.
    fn proved(&self, etag: &Etag, job: Option<usize>) {
        let job = job.and_then(|job| self.jobs.get(job));
        if let Some(job) = job.filter(|_| etag.content_hash() != ContentHash::Opaque) {
            self.view.proofs.holds(etag, &job.entry.identity, (self.since)(&job.entry));
        }
    }

    /// Returns the number of the bytes with these hashes.
    fn number(&mut self, keys: &[(u64, String)]) -> u64 {
        let known = keys.iter().find_map(|key| self.same.get(key).copied());
        let number = known.unwrap_or(self.same.len() as u64);
        for key in keys {
            self.same.entry(key.clone()).or_insert(number);
        }
        number
    }
}

/// What can't be read has no name, and is told by itself.
fn unproved(id: Id) -> Answer {
    let stand_in = Etag::parse(&format!("unread.{}", id.0)).ok();
    stand_in.map_or(Answer::None, Answer::Unproved)
}

fn keys(disk: u64, digests: &Digests) -> Vec<(u64, String)> {
    let both = [&digests.sha256, &digests.git_sha1].into_iter().flatten();
    both.map(|etag| (disk, etag.as_str().to_owned())).collect()
}
