//! What holds kernels to an instruction set.

use std::fmt;

use super::InstructionSet;

/// The environment variable that names the fastest instruction set that kernels may
/// use, such as `avx2`.
pub const MAX_ISA: &str = "MULTIVEC_MAX_ISA";

/// Instruction sets of this platform, the fastest last. Some have no kernels.
const NAMES: &[&str] = if cfg!(target_arch = "x86_64") {
    &["plain", "avx2", "avx-vnni", "avx512-vnni"]
} else if cfg!(target_arch = "aarch64") {
    &["plain", "neon", "neon-dotprod", "neon-i8mm"]
} else {
    &["plain"]
};

/// The instruction set that kernels run with, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelSet {
    /// Its name, one of those of [`MAX_ISA`].
    pub name: &'static str,
    /// The fastest one that this machine has.
    pub fastest: &'static str,
    /// The name that [`MAX_ISA`] has, if it is set.
    pub limit: Option<&'static str>,
}

impl fmt::Display for KernelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, fastest, .. } = self;
        match self.limit {
            Some(limit) => write!(f, "{name} ({MAX_ISA}={limit}; the machine has {fastest})"),
            None => write!(f, "{name} (the fastest of this machine)"),
        }
    }
}

/// [`MAX_ISA`] names no instruction set of this platform.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownInstructionSet {
    /// What it names.
    pub found: String,
}

impl UnknownInstructionSet {
    /// What it may name.
    pub fn expected(&self) -> String {
        let names: Vec<String> = NAMES.iter().map(|name| format!("`{name}`")).collect();
        match names.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        }
    }
}

impl fmt::Display for UnknownInstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, found) = (self.expected(), &self.found);
        write!(f, "{MAX_ISA}: expected {expected}, found `{found}`")
    }
}

impl std::error::Error for UnknownInstructionSet {}

/// The instruction set that kernels run with.
///
/// # Errors
/// If [`MAX_ISA`] names none of this platform. Kernels do not look at it then.
pub fn instruction_set() -> Result<KernelSet, UnknownInstructionSet> {
    let sets = InstructionSet::all();
    let limit = limit()?;
    Ok(KernelSet {
        name: best_of(&sets, limit).name(),
        fastest: best_of(&sets, None).name(),
        limit: limit.map(|at| NAMES[at]),
    })
}

/// The fastest of `sets` that the variable allows.
pub(super) fn best(sets: &[InstructionSet]) -> InstructionSet {
    // Not in the modules for browsers, to keep them small.
    if cfg!(target_family = "wasm") {
        return sets[0];
    }
    best_of(sets, limit().unwrap_or_default())
}

/// The fastest of `sets`, of which there is one at least and the fastest is the
/// first, up to a place in [`NAMES`].
fn best_of(sets: &[InstructionSet], limit: Option<usize>) -> InstructionSet {
    let allowed = &NAMES[..=limit.unwrap_or(NAMES.len() - 1)];
    let is_allowed = |set: &&InstructionSet| allowed.contains(&set.name());
    *sets.iter().find(is_allowed).unwrap_or(&sets[0])
}

/// The place in [`NAMES`] that the variable names, if it is set.
fn limit() -> Result<Option<usize>, UnknownInstructionSet> {
    // Pages have no environment.
    if cfg!(target_family = "wasm") {
        return Ok(None);
    }
    match std::env::var_os(MAX_ISA) {
        Some(value) if !value.is_empty() => place(&value.to_string_lossy()).map(Some),
        _ => Ok(None),
    }
}

fn place(name: &str) -> Result<usize, UnknownInstructionSet> {
    let place = NAMES.iter().position(|known| *known == name);
    place.ok_or_else(|| UnknownInstructionSet {
        found: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_held_to_a_limit() {
        let sets = InstructionSet::all();
        for (at, name) in NAMES.iter().enumerate() {
            assert_eq!(place(name), Ok(at));
            let best = best_of(&sets, Some(at)).name();
            assert!(place(best).is_ok_and(|best| best <= at), "{name}: {best}");
            if sets.iter().any(|set| set.name() == *name) {
                assert_eq!(best, *name);
            }
        }
        assert_eq!(best_of(&sets, None).name(), sets[0].name());
    }

    #[test]
    fn unknown_names_are_errors() {
        let error = place("avx3").expect_err("there is no such set");
        let message = error.to_string();
        assert!(message.contains(MAX_ISA) && message.contains("`plain`"));
        assert!(message.ends_with("found `avx3`"), "{message}");
    }
}
