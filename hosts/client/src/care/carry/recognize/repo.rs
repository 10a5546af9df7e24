//! A repo folder: of an export, of a cache, or of what some tool has made of one.

use std::collections::{BTreeMap, HashMap, HashSet};

use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, Etag, FileName, Repo, Revision},
};

use super::{COPIES, Claim, Listed, Recognizer, Wanted, listed};
use crate::{
    care::carry::{
        guard::is_hash,
        manifest::{self, Manifest},
        source::Entry,
    },
    lookup::listing::Listing,
};

/// The most bytes of a ref, and of a file that is what a tool has left of a link.
const SMALL_BYTES: u64 = 1024;
/// The most bytes of a listing.
const LISTING_LIMIT_BYTES: u64 = 1 << 30;

/// What says what the files of a repo folder hold.
#[derive(Default)]
struct Names {
    manifest: Option<Manifest>,
    listings: HashMap<Commit, Listed>,
}

/// A pointer that is there.
struct Here {
    commit: Commit,
    file: FileName,
    path: String,
    /// The entry with the bytes, and their length.
    content: Option<(String, u64)>,
    /// What its link names.
    named: Option<Etag>,
}

impl Recognizer<'_> {
    /// Recognizes what is in a repo folder.
    pub(super) fn repo_folder(&mut self, root: &str, repo: &Repo) {
        let names = self.names(root, repo);
        self.refs(root, repo, &names);
        let pointers = self.pointers(root);
        let mut copies = self.copies(root);
        let mut claimed: BTreeMap<(Commit, FileName), Claim> = BTreeMap::new();
        let mut own: HashMap<(Commit, FileName), String> = HashMap::new();
        for here in &pointers {
            let key = (here.commit.clone(), here.file.clone());
            let Some(claim) = self.claim(repo, here, &names) else {
                self.leave_out(&here.path, unnamed(here));
                continue;
            };
            if let Some((at, _)) = &here.content {
                copies.entry(claim.etag.clone()).or_default().push(at.clone());
                own.insert(key.clone(), at.clone());
            }
            claimed.insert(key, claim);
        }
        self.add_manifest(root, &names, &mut claimed, &mut copies);
        for ((commit, file), claim) in claimed {
            let shown = format!("{root}/snapshots/{commit}/{file}");
            let mut at: Vec<String> =
                own.remove(&(commit.clone(), file.clone())).into_iter().collect();
            at.extend(copies.get(&claim.etag).into_iter().flatten().cloned());
            self.want(repo, &shown, (commit, file), claim, at);
        }
    }

    /// Takes a file that is claimed, if there is something that may hold it.
    pub(super) fn want(
        &mut self,
        repo: &Repo,
        shown: &str,
        (commit, file): (Commit, FileName),
        claim: Claim,
        mut at: Vec<String>,
    ) {
        let Claim { etag, size, sha256 } = claim;
        if !is_hash(&etag) && sha256.is_none() {
            self.leave_out(shown, format!("its etag `{etag}` is no hash, so nothing proves it"));
            return;
        }
        let len = |path: &String| self.source.resolve(path).map(|(_, len)| len);
        let lens: Vec<u64> = at.iter().filter_map(len).collect();
        at.retain(|path| size.is_none_or(|size| len(path) == Some(size)));
        let mut seen = HashSet::new();
        at.retain(|path| seen.insert(path.clone()));
        at.truncate(COPIES);
        let Some(size) = size.or_else(|| at.first().and_then(len)) else {
            self.leave_out(shown, "its content is not there");
            return;
        };
        if at.is_empty() {
            let why = match lens.first() {
                Some(found) => format!("it has {found} bytes, and should have {size}"),
                None => "its content is not there".to_owned(),
            };
            self.leave_out(shown, why);
            return;
        }
        self.found.wanted.push(Wanted { repo: repo.clone(), commit, file, etag, sha256, size, at });
    }

    /// Reads what says what files hold, and notes what comes along.
    fn names(&mut self, root: &str, repo: &Repo) -> Names {
        let source = self.source;
        let mut names = Names::default();
        let at = format!("{root}/.hubstow/export.json");
        if source.entries.contains_key(&at) {
            let content = source.read(&at, manifest::LIMIT_BYTES).unwrap_or_default();
            match Manifest::parse(&content) {
                Ok(manifest) if manifest.repo() == *repo => names.manifest = Some(manifest),
                Ok(manifest) => {
                    self.leave_out(&at, format!("it is the manifest of {}", manifest.repo()));
                }
                Err(why) => self.leave_out(&at, format!("the manifest can't be used: {why}")),
            }
        }
        for (name, _) in source.below(&format!("{root}/trees")) {
            let path = format!("{root}/trees/{name}");
            let commit = name.strip_suffix(".json").and_then(|name| Commit::parse(name).ok());
            let Some(commit) = commit else { continue };
            let content = source.read(&path, LISTING_LIMIT_BYTES);
            match content.and_then(|content| Listing::of_kept(&content)).and_then(listed) {
                Some(files) => {
                    names.listings.insert(commit.clone(), files);
                    self.found.listings.insert((repo.clone(), commit), path);
                }
                None => self.leave_out(&path, "it is no listing"),
            }
        }
        for (path, _) in source.below(&format!("{root}/.no_exist")) {
            let parts = path.split_once('/');
            let marker = parts.and_then(|(commit, file)| {
                Some((Commit::parse(commit).ok()?, FileName::parse(file).ok()?))
            });
            if let Some((commit, file)) = marker {
                self.found.absent.push((repo.clone(), commit, file));
            }
        }
        names
    }

    fn refs(&mut self, root: &str, repo: &Repo, names: &Names) {
        let source = self.source;
        if let Some(manifest) = &names.manifest {
            for (name, commit) in &manifest.refs {
                self.found.refs.insert((repo.clone(), name.clone()), commit.clone());
            }
        }
        for (name, _) in source.below(&format!("{root}/refs")) {
            let path = format!("{root}/refs/{name}");
            let content = source.read(&path, SMALL_BYTES).unwrap_or_default();
            match (Revision::parse(name), Commit::from_ref_file(&content)) {
                (Ok(name), Some(commit)) => {
                    self.found.refs.entry((repo.clone(), name)).or_insert(commit);
                }
                (Ok(_), None) => self.leave_out(&path, "it names no commit"),
                (Err(error), _) => self.leave_out(&path, error.to_string()),
            }
        }
    }

    /// Lists the files of snapshots; what can't be one is told.
    fn pointers(&mut self, root: &str) -> Vec<Here> {
        let source = self.source;
        let mut pointers = Vec::new();
        for (below, entry) in source.below(&format!("{root}/snapshots")) {
            let path = format!("{root}/snapshots/{below}");
            let Some((commit, name)) = below.split_once('/').filter(|_| !super::is_nobodys(below))
            else {
                continue;
            };
            let parsed = Commit::parse(commit).and_then(|it| Ok((it, FileName::parse(name)?)));
            let (commit, file) = match parsed {
                Ok(parsed) => parsed,
                Err(error) => {
                    self.leave_out(&path, error.to_string());
                    continue;
                }
            };
            pointers.push(self.pointer(commit, file, path, entry));
        }
        pointers
    }

    fn pointer(&self, commit: Commit, file: FileName, path: String, entry: &Entry) -> Here {
        let of_text = |text: &str| {
            let etag = text.rsplit_once("blobs/").map(|(_, base)| base.trim());
            etag.and_then(|etag| Etag::parse(etag).ok())
        };
        let (content, named) = match entry {
            Entry::Link(text) => {
                let text = text.replace('\\', "/");
                (self.source.resolve(&path), of_text(&text))
            }
            Entry::File { len_bytes, .. } => (Some((path.clone(), *len_bytes)), None),
        };
        // What is left of a link that went through an archive or a service which knows none.
        if named.is_none()
            && let Some((_, len_bytes)) = &content
            && *len_bytes <= SMALL_BYTES
            && let Some(text) = self.source.read(&path, SMALL_BYTES)
            && let Ok(text) = str::from_utf8(&text)
            && let text = text.trim_end_matches(['\r', '\n']).replace('\\', "/")
            && let Some(etag) = RepoLayout::etag_of_link(&file, &text)
        {
            return Here { commit, file, path, content: None, named: Some(etag) };
        }
        Here { commit, file, path, content, named }
    }

    /// Returns where contents are by the names of blobs.
    fn copies(&self, root: &str) -> HashMap<Etag, Vec<String>> {
        let mut copies: HashMap<Etag, Vec<String>> = HashMap::new();
        for (name, _) in self.source.below(&format!("{root}/blobs")) {
            let found = self.source.resolve(&format!("{root}/blobs/{name}"));
            if let (Ok(etag), Some((path, _))) = (Etag::parse(name), found) {
                copies.entry(etag).or_default().push(path);
            }
        }
        copies
    }

    /// Says what a pointer should hold.
    fn claim(&mut self, repo: &Repo, here: &Here, names: &Names) -> Option<Claim> {
        let Here { commit, file, named, .. } = here;
        let of_listing = |files: &Listed| {
            let (etag, size) = files.get(file)?.clone();
            Some(Claim { etag, size: Some(size), sha256: None })
        };
        if let Some(claim) = self.kept(repo, commit).and_then(of_listing) {
            return Some(claim);
        }
        let manifest = names.manifest.as_ref();
        let of_manifest = manifest.and_then(|it| it.revisions.get(commit)?.files.get(file));
        if let Some(file) = of_manifest {
            let (etag, sha256) = (file.etag.clone(), file.sha256.clone());
            return Some(Claim { etag, size: Some(file.size), sha256 });
        }
        let named = named.clone().filter(is_hash);
        let named = named.map(|etag| Claim { etag, size: None, sha256: None });
        named.or_else(|| names.listings.get(commit).and_then(of_listing))
    }

    /// Adds the files of the manifest, whose content may lie elsewhere.
    fn add_manifest(
        &mut self,
        root: &str,
        names: &Names,
        claimed: &mut BTreeMap<(Commit, FileName), Claim>,
        copies: &mut HashMap<Etag, Vec<String>>,
    ) {
        let Some(manifest) = &names.manifest else { return };
        for (commit, revision) in &manifest.revisions {
            for (name, file) in &revision.files {
                let own = || format!("snapshots/{commit}/{name}");
                let at = format!("{root}/{}", file.at.clone().unwrap_or_else(own));
                if self.source.resolve(&at).is_some() {
                    copies.entry(file.etag.clone()).or_default().push(at);
                }
                let (etag, sha256) = (file.etag.clone(), file.sha256.clone());
                let claim = Claim { etag, size: Some(file.size), sha256 };
                claimed.entry((commit.clone(), name.clone())).or_insert(claim);
            }
        }
    }
}

/// Says why nothing proves a pointer.
fn unnamed(here: &Here) -> &'static str {
    match (&here.named, &here.content) {
        (Some(_), _) => "what its link names is no hash",
        (None, None) => "its link leads to nothing that is there",
        (None, Some(_)) => {
            "nothing says what it should hold: no listing of its commit is here, and none came along"
        }
    }
}
