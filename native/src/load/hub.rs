//! Models by their ids.

use super::builder::EncoderBuilder;
use super::source::Source;
use crate::hub::HubOptions;

impl EncoderBuilder {
    /// Loads a model of a hub by its id, `org/name` or `org/name@revision`,
    /// see [`hub`](crate::hub).
    ///
    /// ```no_run
    /// use multivec::EncoderBuilder;
    ///
    /// let builder = EncoderBuilder::from_hub("lightonai/GTE-ModernColBERT-v1");
    /// let encoder = builder.with_revision("main").build()?;
    /// assert!(encoder.origin().is_some());
    /// # Ok::<(), multivec::Error>(())
    /// ```
    pub fn from_hub(id: impl Into<String>) -> Self {
        Self::new(Source::Hub {
            id: id.into(),
            options: HubOptions::default(),
        })
    }

    /// Replaces the options of the hub, for a model by its id.
    #[must_use]
    pub fn with_hub_options(mut self, new: HubOptions) -> Self {
        match &mut self.source {
            Source::Hub { options, .. } => *options = new,
            other => *other = Source::OutsideHub,
        }
        self
    }

    /// Loads this branch, tag or commit of a model by its id.
    #[must_use]
    pub fn with_revision(mut self, revision: impl Into<String>) -> Self {
        match &mut self.source {
            Source::Hub { options, .. } => options.revision = Some(revision.into()),
            other => *other = Source::OutsideHub,
        }
        self
    }
}
