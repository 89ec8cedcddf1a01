//! Errors of graphs as errors of the core.

use super::Error;

impl From<multivec_graph::Error> for Error {
    fn from(error: multivec_graph::Error) -> Self {
        use multivec_graph::Error as Graph;
        match error {
            Graph::Io {
                path,
                action,
                source,
                ..
            } => Self::Io {
                path,
                action,
                source,
            },
            Graph::InvalidModel { file, source, .. } => Self::InvalidModel {
                file,
                engine: "multivec",
                source,
            },
            Graph::InvalidFile {
                file,
                expected,
                found,
                ..
            } => Self::InvalidFile {
                file,
                expected,
                found,
            },
            Graph::ModelMismatch {
                file,
                what,
                expected,
                found,
                ..
            } => Self::ModelMismatch {
                file,
                what,
                expected,
                found,
            },
            other => Self::InvalidModel {
                file: "model".to_owned(),
                engine: "multivec",
                source: other.into(),
            },
        }
    }
}
