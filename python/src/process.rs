//! Models and the process that loaded them.

use pyo3::prelude::*;

use crate::error::coded;

/// The process that loaded a model. Threads do not survive a fork, so that a
/// model cannot be used in a child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded(u32);

impl Loaded {
    /// This process.
    pub(crate) fn here() -> Self {
        Self(std::process::id())
    }

    /// Refuses any other process.
    pub(crate) fn check(self) -> PyResult<()> {
        let here = std::process::id();
        if here == self.0 {
            return Ok(());
        }
        Err(coded(
            "forked",
            &format!(
                "expected the process that loaded the model ({}), found its fork ({here}): load \
                 the model in the child, or start children with the method `spawn`",
                self.0
            ),
        ))
    }
}
