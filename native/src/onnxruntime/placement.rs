//! Which provider ran the operators of a graph, from ONNX Runtime's profile of
//! a run. ONNX Runtime may give a registered provider none of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use ort::session::Session;

use super::provider_options::listed_name;
use crate::options::Provider;

/// How many operators a provider ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Operators that the provider ran.
    pub(crate) placed: usize,
    /// Operators that ran at all.
    pub(crate) all: usize,
}

/// The path that a session's profile begins with; different for each session.
pub(super) fn profile_prefix() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("multivec-profile-{}-{count}", process::id()))
}

/// Ends the profile of a session that has run a batch, and reads it.
pub(super) fn read(session: &mut Session, provider: &Provider) -> ort::Result<Placement> {
    let file = session.end_profiling()?;
    let profile = fs::read_to_string(&file).map_err(ort::Error::wrap);
    // If removing fails, the file is left in the system's temporary folder.
    drop(fs::remove_file(Path::new(&file)));
    Ok(count(&profile?, listed_name(provider)))
}

/// Counts the entries of operators, `"provider" : "NameExecutionProvider"`.
fn count(profile: &str, provider: &str) -> Placement {
    let named = profile.split("\"provider\"").skip(1);
    let names = named.filter_map(|rest| rest.split('"').nth(1));
    let mut placement = Placement { placed: 0, all: 0 };
    for name in names.filter(|name| !name.is_empty()) {
        placement.all += 1;
        placement.placed += usize::from(name == provider);
    }
    placement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_counted_by_provider() {
        let profile = r#"[
            {"cat" : "Session", "name" : "model_run", "args" : {}},
            {"cat" : "Node", "args" : {"op_name" : "Gather","provider" : "CPUExecutionProvider"}},
            {"cat" : "Node", "args" : {"provider" : "CUDAExecutionProvider","op_name" : "Gelu"}},
            {"cat" : "Node", "args" : {"provider":"CUDAExecutionProvider"}}
        ]"#;
        let found = count(profile, "CUDAExecutionProvider");
        assert_eq!(found, Placement { placed: 2, all: 3 });
        assert_eq!(count("[]", "CUDAExecutionProvider").all, 0);
    }
}
