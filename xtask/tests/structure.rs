//! No circle of modules: read from the `use` lines and paths of each crate.
//!
//! In every folder, the files and folders in it are compared by who uses whom.
//! A module may use its own folder and be used by it; everything else has a
//! direction. Items of tests do not count.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// A module by the names that lead to it from the crate's root.
type Module = Vec<String>;

const CRATES: [&str; 9] = [
    "src",
    "crates/arrow/src",
    "crates/cli/src",
    "crates/graph/src",
    "crates/kernels/src",
    "crates/tract/src",
    "native/src",
    "wasm/src",
    "xtask/src",
];

#[test]
fn no_circles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for name in CRATES {
        let uses = Crate::read(&root.join(name)).uses();
        assert!(
            !uses.is_empty() || name == "wasm/src",
            "{name}: no module uses another one"
        );
        found.extend(
            circles(&uses)
                .into_iter()
                .map(|circle| format!("{name}: {circle}")),
        );
    }
    assert!(
        found.is_empty(),
        "circles of modules:\n{}",
        found.join("\n")
    );
}

#[test]
fn circles_are_found() {
    let of = |files: &[(&str, &str)]| {
        let parsed = files.iter().map(|(name, code)| {
            let module = name.split("::").filter(|part| !part.is_empty());
            let file = syn::parse_file(code).expect("it is Rust");
            (module.map(str::to_owned).collect(), file)
        });
        circles(&Crate(parsed.collect()).uses())
    };
    let root = ("", "mod a; mod b;");
    assert_eq!(
        of(&[root, ("a", "use crate::b::B;"), ("b", "struct B;")]),
        [""; 0]
    );
    let circle = [
        root,
        ("a", "use super::b::B;"),
        ("b", "fn b() { crate::a::a(); }"),
    ];
    assert_eq!(of(&circle), ["a, b"]);
    // Behind a re-export, and between folders.
    let folders = [
        ("", "mod a; mod b;"),
        ("a", "mod one; pub use one::One;"),
        ("a::one", "use crate::b::Two; pub struct One;"),
        ("b", "mod two; mod three; pub use two::Two;"),
        ("b::two", "pub struct Two;"),
        ("b::three", "use crate::a::One;"),
    ];
    assert_eq!(of(&folders), ["a, b"]);
    let siblings = [
        ("", "mod a;"),
        ("a", "mod one; mod two; pub use one::One;"),
        ("a::one", "use super::two::Two; pub struct One;"),
        ("a::two", "use super::One; pub struct Two;"),
    ];
    assert_eq!(of(&siblings), ["a::one, a::two"]);
    // A module and its own folder.
    let own = [
        ("", "mod a;"),
        ("a", "mod one; use one::One;"),
        ("a::one", "use super::A;"),
    ];
    assert_eq!(of(&own), [""; 0]);
    let test = [
        root,
        ("a", "use crate::b::B;"),
        ("b", "#[cfg(test)] mod tests { use crate::a::A; }"),
    ];
    assert_eq!(of(&test), [""; 0]);
}

/// Circles of the files and folders in one folder, each as their names.
fn circles(uses: &BTreeSet<(Module, Module)>) -> Vec<String> {
    let mut folders: BTreeMap<Module, BTreeSet<(Module, Module)>> = BTreeMap::new();
    for (from, to) in uses {
        let common = from
            .iter()
            .zip(to)
            .take_while(|(one, two)| one == two)
            .count();
        // A module and its own folder.
        if common == from.len() || common == to.len() {
            continue;
        }
        let (from, to) = (from[..=common].to_vec(), to[..=common].to_vec());
        folders
            .entry(from[..common].to_vec())
            .or_default()
            .insert((from, to));
    }
    let mut found = Vec::new();
    for edges in folders.values() {
        let names: BTreeSet<&Module> = edges.iter().flat_map(|(from, to)| [from, to]).collect();
        let names: Vec<&Module> = names.into_iter().collect();
        let at = |module: &Module| {
            names
                .iter()
                .position(|name| *name == module)
                .expect("a name")
        };
        let graph =
            DiGraphMap::<usize, ()>::from_edges(edges.iter().map(|(from, to)| (at(from), at(to))));
        for circle in tarjan_scc(&graph)
            .into_iter()
            .filter(|circle| circle.len() > 1)
        {
            let mut members: Vec<String> = circle.iter().map(|&at| names[at].join("::")).collect();
            members.sort();
            found.push(members.join(", "));
        }
    }
    found
}

/// The files of a crate, by their modules.
struct Crate(BTreeMap<Module, syn::File>);

impl Crate {
    fn read(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(root, &mut Vec::new(), &mut files);
        Self(files)
    }

    /// Which module uses which other one.
    fn uses(&self) -> BTreeSet<(Module, Module)> {
        let exports: HashMap<&Module, Vec<Vec<String>>> = self
            .0
            .iter()
            .map(|(module, file)| (module, paths_of_uses(&file.items)))
            .collect();
        let mut uses = BTreeSet::new();
        for (module, file) in &self.0 {
            let mut paths = Paths::default();
            paths.visit_file(file);
            for path in paths.found {
                let target = self.resolve(module, &path, &exports, 0);
                if let Some(target) = target.filter(|target| target != module) {
                    uses.insert((module.clone(), target));
                }
            }
        }
        uses
    }

    /// The module that defines what a path names, where it is in this crate.
    fn resolve(
        &self,
        from: &Module,
        path: &[String],
        exports: &HashMap<&Module, Vec<Vec<String>>>,
        depth: usize,
    ) -> Option<Module> {
        let mut at = from.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => at.clear(),
            "super" | "self" => {}
            first => {
                at.push(first.to_owned());
                self.0.get(&at)?;
            }
        }
        if matches!(path[0].as_str(), "crate" | "self")
            || self.0.contains_key(&at) && path[0] != "super"
        {
            rest = &rest[1..];
        }
        while rest.first().is_some_and(|part| part == "super") {
            at.pop()?;
            rest = &rest[1..];
        }
        while let Some(part) = rest.first() {
            let child: Module = at.iter().chain([part]).cloned().collect();
            if self.0.contains_key(&child) {
                at = child;
                rest = &rest[1..];
                continue;
            }
            // Behind a re-export is the module that has it.
            let export = exports
                .get(&at)?
                .iter()
                .find(|path| path.last() == Some(part));
            if let Some(export) = export.filter(|_| depth < 8 && at != *from) {
                return self.resolve(&at, export, exports, depth + 1).or(Some(at));
            }
            break;
        }
        Some(at)
    }
}

fn collect(folder: &Path, module: &mut Module, files: &mut BTreeMap<Module, syn::File>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            module.push(name);
            collect(&path, module, files);
            module.pop();
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let code = fs::read_to_string(&path).expect("the file can be read");
            let file = syn::parse_file(&code)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut module = module.clone();
            if !matches!(name.as_str(), "mod" | "lib" | "main") {
                module.push(name);
            }
            files.insert(module, file);
        }
    }
}

/// What the `use` lines of a module name, one path a name.
fn paths_of_uses(items: &[Item]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for item in items {
        if let Item::Use(item) = item
            && !is_test(&item.attrs)
        {
            expand(&item.tree, &mut Vec::new(), &mut paths);
        }
    }
    paths
}

fn expand(tree: &UseTree, prefix: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            expand(&path.tree, prefix, paths);
            prefix.pop();
        }
        UseTree::Group(group) => group
            .items
            .iter()
            .for_each(|tree| expand(tree, prefix, paths)),
        UseTree::Name(name) if name.ident == "self" => paths.push(prefix.clone()),
        UseTree::Name(name) => paths.push(with(prefix, &name.ident)),
        UseTree::Rename(name) => paths.push(with(prefix, &name.ident)),
        UseTree::Glob(_) => paths.push(prefix.clone()),
    }
}

fn with(prefix: &[String], name: &syn::Ident) -> Vec<String> {
    prefix.iter().cloned().chain([name.to_string()]).collect()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute
            .path()
            .is_ident("cfg")
            .then(|| attribute.meta.require_list().ok());
        condition
            .flatten()
            .is_some_and(|list| list.tokens.to_string() == "test")
    })
}

/// Every path of a file but those of its tests.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        // Modules within a file count as that file, but their `super` does not.
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        if !is_test(&item.attrs) {
            expand(&item.tree, &mut Vec::new(), &mut self.found);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let parts: Vec<String> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        if parts.len() > 1 {
            self.found.push(parts);
        }
        visit::visit_path(self, path);
    }
}
