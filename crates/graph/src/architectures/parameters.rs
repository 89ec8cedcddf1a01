//! Parameters of layers.

/// Whether a layer has a bias.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bias {
    Present,
    Absent,
}

impl Bias {
    /// As a flag of the configuration says.
    pub(super) fn flagged(is_present: bool) -> Self {
        if is_present {
            Self::Present
        } else {
            Self::Absent
        }
    }
}

/// A normalization of rows.
#[derive(Clone, Copy)]
pub(super) struct Norm {
    pub(super) width: usize,
    pub(super) epsilon: f32,
    pub(super) bias: Bias,
}

/// A normalization of rows by the root of their mean square.
#[derive(Clone, Copy)]
pub(super) struct RmsNorm {
    pub(super) width: usize,
    pub(super) epsilon: f32,
    pub(super) scale: Scale,
}

/// The factors of a normalization, by what is stored of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Stored,
    StoredLessOne,
}

/// The sizes of a linear layer.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) inner: usize,
    pub(super) outer: usize,
}

impl Sizes {
    pub(super) fn new(inner: usize, outer: usize) -> Self {
        Self { inner, outer }
    }
}

/// A key of a configuration, and the size where it is absent.
#[derive(Clone, Copy)]
pub(super) struct Key(pub(super) &'static str, pub(super) usize);

/// The keys of a configuration for heads of attention.
#[derive(Clone, Copy)]
pub(super) struct HeadKeys {
    pub(super) count: Key,
    /// For heads of keys and values, where they may be fewer.
    pub(super) of_keys: Option<&'static str>,
    /// Columns where nothing is stated; by default those that follow from the
    /// width.
    pub(super) columns: Option<usize>,
}

impl HeadKeys {
    /// The key of encoders whose heads are all alike.
    pub(super) fn plain(count: Key) -> Self {
        Self {
            count,
            of_keys: None,
            columns: None,
        }
    }
}
