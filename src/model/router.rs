//! Router: one list of modules for queries, another for documents.
//!
//! Source: sentence-transformers 6.2, `base/modules/router.py`.

use super::files::{Files, join};
use super::modules::{Entry, Kind};
use crate::config::Keys;
use crate::error::Result;

/// Modules by kind of text.
pub(super) struct Routes {
    pub(super) queries: Vec<Entry>,
    pub(super) documents: Vec<Entry>,
}

pub(super) fn read(files: &Files, router: &Entry) -> Result<Routes> {
    let path = join(&router.folder, "router_config.json");
    let path = if files.has(&path) {
        path
    } else {
        join(&router.folder, "config.json")
    };
    let keys = files.require(&path, "the routes of the modules")?;
    let object = |key| {
        let object = keys.object(key)?;
        object.ok_or_else(|| keys.error(key, "an object", "none"))
    };
    let (types, structure) = (object("types")?, object("structure")?);
    let route = |name: &'static str| {
        let ids = structure.strings(name)?;
        let ids = ids.ok_or_else(|| structure.error(name, "a list of modules", "none"))?;
        let entries = ids.iter().map(|id| entry(&types, &router.folder, id));
        entries.collect::<Result<Vec<_>>>()
    };
    let routes = Routes {
        queries: route("query")?,
        documents: route("document")?,
    };
    files.leave_unread(&path, &keys, &["parameters"]);
    Ok(routes)
}

fn entry(types: &Keys, folder: &str, id: &str) -> Result<Entry> {
    let mut entries = types.entries();
    let class = entries.find_map(|(name, class)| (name == id).then(|| class.as_str()).flatten());
    let Some(class) = class else {
        return Err(types.error(
            "types",
            "the class of each module",
            format_args!("none of `{id}`"),
        ));
    };
    let Some(kind) = Kind::of(class) else {
        let expected = "a module that is known";
        return Err(types.error("types", expected, format_args!("`{class}`")));
    };
    Ok(Entry {
        class: class.to_owned(),
        kind,
        folder: join(folder, id),
    })
}
