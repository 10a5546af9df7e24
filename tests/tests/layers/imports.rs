//! Which modules of its own crate a source file names.

use std::{
    fs,
    path::{Path, PathBuf},
};

use syn::{
    UseTree,
    visit::{self, Visit},
};

/// Lists the source files below a folder, but for those of tests.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns the paths within its crate that a file of this module names, from the root.
pub(crate) fn named(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let file = syn::parse_file(text).unwrap();
    let mut names = Names { module, found: Vec::new() };
    names.visit_file(&file);
    names.found
}

struct Names<'a> {
    module: &'a [String],
    found: Vec<Vec<String>>,
}

impl Names<'_> {
    fn take(&mut self, path: &[String]) {
        let mut words = path.iter();
        let mut from = match words.next().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self") => self.module.to_vec(),
            Some("super") => above(self.module),
            Some(_) | None => return,
        };
        for word in words {
            if word == "super" {
                from = above(&from);
            } else {
                from.push(word.clone());
            }
        }
        self.found.push(from);
    }

    fn take_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.take_tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => self.take(before),
            UseTree::Name(name) => self.take(&with(&name.ident)),
            UseTree::Rename(name) => self.take(&with(&name.ident)),
            UseTree::Glob(_) => self.take(before),
            UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.take_tree(item, before));
            }
        }
    }
}

fn above(module: &[String]) -> Vec<String> {
    module.split_last().map(|(_, above)| above.to_vec()).unwrap_or_default()
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

impl Visit<'_> for Names<'_> {
    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        self.take_tree(&item.tree, &[]);
    }

    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        if is_test(&item.attrs) {
            return;
        }
        let inner: Vec<_> = [self.module, &[item.ident.to_string()]].concat();
        let mut names = Names { module: &inner, found: Vec::new() };
        visit::visit_item_mod(&mut names, item);
        self.found.append(&mut names.found);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let words: Vec<_> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if words.len() > 1 {
            self.take(&words);
        }
        visit::visit_path(self, path);
    }

    fn visit_vis_restricted(&mut self, _: &syn::VisRestricted) {}
}
