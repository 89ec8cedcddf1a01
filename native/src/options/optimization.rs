//! Which form of a graph runs.

use std::ffi::OsStr;

use multivec_core::{Error, Result};

/// The environment variable that says whether forms are timed where options say
/// nothing: `1`, the default, or `0`, so that models run the same form wherever
/// they are loaded, to the last bit of their vectors.
const MEASURE: &str = "MULTIVEC_MEASURE";

/// Whether a graph is fused before it runs. The default is
/// [`Measured`](Self::Measured), or [`Checked`](Self::Checked) where the
/// environment variable `MULTIVEC_MEASURE` is `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Optimization {
    /// As [`Checked`](Self::Checked), and where both graphs have the same
    /// vectors they are timed on first use, for less than half a second. The
    /// original runs if it is the faster one.
    Measured,
    /// It is fused, and on first use compared with the original graph on a
    /// few texts. If their vectors differ, the original runs.
    Checked,
    /// The original graph runs.
    Off,
}

impl Default for Optimization {
    fn default() -> Self {
        // Other values are refused when a model is loaded.
        match of(std::env::var_os(MEASURE).as_deref()) {
            Ok(found) => found,
            Err(_) => Self::Measured,
        }
    }
}

impl Optimization {
    /// Fails with [`Error::InvalidOption`] if the variable has another value than `0`
    /// and `1`.
    pub(crate) fn check_environment() -> Result<()> {
        of(std::env::var_os(MEASURE).as_deref()).map(drop)
    }
}

/// The default where the variable has this value.
fn of(value: Option<&OsStr>) -> Result<Optimization> {
    match value.map(OsStr::to_string_lossy).as_deref() {
        None | Some("1") => Ok(Optimization::Measured),
        Some("0") => Ok(Optimization::Checked),
        Some(other) => Err(Error::option(MEASURE, "`0` or `1`", format!("`{other}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_decides_the_default() {
        let of = |value: Option<&str>| super::of(value.map(OsStr::new));
        assert_eq!(of(None).ok(), Some(Optimization::Measured));
        assert_eq!(of(Some("1")).ok(), Some(Optimization::Measured));
        assert_eq!(of(Some("0")).ok(), Some(Optimization::Checked));
        for other in ["", "off", "2"] {
            let message = of(Some(other)).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(
                message.contains(MEASURE) && message.contains(other),
                "{message}"
            );
        }
    }
}
