//! Every public item is shown by an example where a reader looks for it, and explained without tables that he does not have.
//!
//! A type, a trait and a function has an example of its own. A method is called in an example on the page of its type: that
//! of the type, of the method itself or of another one beside it. Methods of traits are not asked for, since who implements a
//! trait has them all before him. What a library hands on of our other crates is looked up there, and so is what its types
//! lead to by `Deref`; a module that is handed on whole is not looked into.

#![expect(clippy::wildcard_enum_match_arm, reason = "most kinds of items have no page")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use rustdoc_types::{Crate, Id, Impl, Item, ItemEnum, StructKind, Type, Visibility};

/// What rustdoc says of our crates, by their names in code.
pub(crate) struct Said(BTreeMap<String, Crate>);

/// What is looked at, and what is missing so far.
struct Search<'a> {
    said: &'a Said,
    seen: BTreeSet<(String, u32)>,
    /// How many items were looked at.
    shown: usize,
    missing: Vec<String>,
}

impl Said {
    pub(crate) fn read(folder: &Path, libraries: &[&str]) -> Result<Self> {
        let read = libraries.iter().map(|library| {
            let name = library.replace('-', "_");
            let json = fs::read(folder.join(format!("{name}.json")))?;
            Ok((name, serde_json::from_slice(&json)?))
        });
        Ok(Self(read.collect::<Result<_>>()?))
    }

    /// Returns how many items of a library were looked at, and which of them no example shows.
    pub(crate) fn without_example(&self, library: &str) -> Result<(usize, Vec<String>)> {
        let name = library.replace('-', "_");
        let (name, krate) = self.0.get_key_value(&name).context("the library was documented")?;
        let mut search =
            Search { said: self, seen: BTreeSet::new(), shown: 0, missing: Vec::new() };
        search.module(name, krate, krate.root);
        search.missing.sort();
        Ok((search.shown, search.missing))
    }

    /// Finds an item that a crate hands on in the crate that has it, if that is one of ours.
    fn handed_on(&self, from: &Crate, id: Id) -> Option<(&str, &Crate, Id)> {
        let path = &from.paths.get(&id)?.path;
        let (name, krate) = self.0.get_key_value(path.first()?)?;
        let own = |(_, summary): &(&Id, &rustdoc_types::ItemSummary)| {
            summary.crate_id == 0 && summary.path == *path
        };
        Some((name, krate, *krate.paths.iter().find(own)?.0))
    }
}

impl<'a> Search<'a> {
    fn module(&mut self, name: &'a str, krate: &'a Crate, id: Id) {
        let Some(ItemEnum::Module(module)) = krate.index.get(&id).map(|item| &item.inner) else {
            return;
        };
        for id in &module.items {
            self.item(name, krate, *id);
        }
    }

    fn item(&mut self, name: &'a str, krate: &'a Crate, id: Id) {
        let Some(item) = krate.index.get(&id) else {
            if let Some((name, krate, id)) = self.said.handed_on(krate, id) {
                self.type_or_function(name, krate, id);
            }
            return;
        };
        match &item.inner {
            ItemEnum::Use(used) => {
                if let Some(id) = used.id {
                    self.item(name, krate, id);
                }
            }
            ItemEnum::Module(_) => self.module(name, krate, id),
            _ => self.type_or_function(name, krate, id),
        }
    }

    fn type_or_function(&mut self, name: &'a str, krate: &'a Crate, id: Id) {
        let Some(item) = krate.index.get(&id) else { return };
        let impls = match &item.inner {
            ItemEnum::Struct(it) => &it.impls,
            ItemEnum::Enum(it) => &it.impls,
            ItemEnum::Union(it) => &it.impls,
            ItemEnum::Trait(_) | ItemEnum::Function(_) => &Vec::new(),
            _ => return,
        };
        if !self.seen.insert((name.to_owned(), id.0)) {
            return;
        }
        let path = krate.paths.get(&id).map(|summary| summary.path.join("::"));
        let path = path.unwrap_or_else(|| format!("{name}::{}", named(item)));
        self.shown += 1;
        if code(item).is_empty() {
            self.missing.push(format!("{path} has no example of its own"));
        }
        let impls: Vec<&Impl> = impls.iter().filter_map(|id| implementation(krate, *id)).collect();
        let methods: Vec<&Item> = impls.iter().flat_map(|it| methods(krate, it)).collect();
        let told = methods.iter().copied().chain([item]).chain(parts(krate, item));
        let told = told.filter_map(|item| item.docs.as_deref());
        for reference in told.filter_map(reference) {
            self.missing.push(format!("{path} refers to {reference}, which no reader has"));
        }
        let page: Vec<String> = methods.iter().copied().chain([item]).map(code).collect();
        let page = page.join("\n");
        for method in methods {
            self.shown += 1;
            if !is_called(&page, named(method)) {
                self.missing.push(format!("{path}::{} is called in no example", named(method)));
            }
        }
        for target in impls.into_iter().filter_map(|it| deref_target(krate, it)) {
            self.item(name, krate, target);
        }
    }
}

fn named(item: &Item) -> &str {
    item.name.as_deref().unwrap_or_default()
}

fn implementation(krate: &Crate, id: Id) -> Option<&Impl> {
    match &krate.index.get(&id)?.inner {
        ItemEnum::Impl(it) => Some(it),
        _ => None,
    }
}

/// Returns the fields of a struct, or the cases of an enum.
fn parts<'a>(krate: &'a Crate, of: &'a Item) -> impl Iterator<Item = &'a Item> {
    let ids = match &of.inner {
        ItemEnum::Struct(it) => match &it.kind {
            StructKind::Plain { fields, .. } => fields.as_slice(),
            _ => &[],
        },
        ItemEnum::Enum(it) => it.variants.as_slice(),
        _ => &[],
    };
    ids.iter().filter_map(|id| krate.index.get(id))
}

/// Finds a row, an invariant or a section by its number: those are for who works on this.
fn reference(docs: &str) -> Option<String> {
    let words: Vec<&str> = docs.split_whitespace().collect();
    words.array_windows().find_map(|[word, number]| {
        let named = word.trim_start_matches('(').trim_end_matches('s').to_lowercase();
        let digits = number.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
        let is_reference = ["row", "invariant", "section"].contains(&named.as_str())
            && digits.starts_with(|letter: char| letter.is_ascii_digit());
        is_reference.then(|| format!("{word} {number}"))
    })
}

/// Returns what a type has of itself, without what traits give it.
fn methods<'a>(krate: &'a Crate, of: &'a Impl) -> impl Iterator<Item = &'a Item> {
    let items = of.items.iter().filter(|_| of.trait_.is_none());
    let items = items.filter_map(|id| krate.index.get(id));
    items.filter(|item| {
        matches!(item.inner, ItemEnum::Function(_)) && item.visibility == Visibility::Public
    })
}

fn deref_target(krate: &Crate, of: &Impl) -> Option<Id> {
    let is_deref = of.trait_.as_ref().is_some_and(|it| it.path.ends_with("Deref"));
    let items = of.items.iter().filter(|_| is_deref).filter_map(|id| krate.index.get(id));
    items.into_iter().find_map(|item| match &item.inner {
        ItemEnum::AssocType { type_: Some(Type::ResolvedPath(path)), .. } => Some(path.id),
        _ => None,
    })
}

/// Returns what the examples in the documentation of an item say, without what is only a picture or must not compile.
fn code(item: &Item) -> String {
    let docs = item.docs.as_deref().unwrap_or_default();
    let (mut code, mut inside) = (String::new(), None);
    for line in docs.lines() {
        match (line.trim_start().strip_prefix("```"), inside) {
            (Some(words), None) => {
                inside = Some(matches!(words.trim(), "" | "rust" | "no_run" | "rust,no_run"));
            }
            (Some(_), Some(_)) => inside = None,
            (None, Some(true)) if !line.trim_start().starts_with("# ") => {
                code.push_str(line);
                code.push('\n');
            }
            (None, _) => {}
        }
    }
    code
}

/// Tells whether code calls something of this name, or hands it on.
fn is_called(code: &str, name: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code.get(..at).unwrap_or_default();
        let after = code.get(at + name.len()..).unwrap_or_default();
        before.ends_with(['.', ':']) && !after.starts_with(is_word)
    })
}

/// The search tells a call from a word that begins alike, and a reference from other words.
pub(crate) fn calls_are_told_from_words() -> Result<()> {
    for (code, expected) in [
        ("hub.file(\"x\")", true),
        ("Hub::file", true),
        ("hub.files()", false),
        ("// the file", false),
    ] {
        ensure!(is_called(code, "file") == expected, "{code}");
    }
    for (docs, expected) in [
        ("A commit (row D20).", true),
        ("Kept by invariant I4.", true),
        ("As section 1.6 says.", true),
        ("A row of 3 files.", false),
    ] {
        ensure!(reference(docs).is_some() == expected, "{docs}");
    }
    Ok(())
}
