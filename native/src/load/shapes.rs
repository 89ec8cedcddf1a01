//! Tests: the shapes of the batches that an engine is given.

use std::sync::{Arc, Mutex, PoisonError};

use multivec_core::batch::{BatchShapes, TokenBatch};
use multivec_core::{
    Backend, BackendInfo, EncodeOptions, Encoder, Result, RunMode, Scheduling, TokenStates,
};

use super::onnxruntime::{Loaded, load};
use super::source::Source;
use crate::onnxruntime::OrtBackend;
use crate::options::{LoadOptions, Provider};

type Shapes = Arc<Mutex<Vec<[usize; 2]>>>;

/// A backend that asks for batches of certain shapes, and records them.
struct Recording {
    backend: OrtBackend,
    batch_shapes: BatchShapes,
    shapes: Shapes,
}

impl Backend for Recording {
    fn info(&self) -> &BackendInfo {
        self.backend.info()
    }

    fn scheduling(&self) -> Scheduling<'_> {
        Scheduling::default().with_batch_shapes(self.batch_shapes)
    }

    fn run(&self, batch: &TokenBatch, mode: RunMode) -> Result<TokenStates> {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        shapes.push([batch.rows, batch.length]);
        self.backend.run(batch, mode)
    }
}

/// An encoder, and the shapes of the batches that it runs.
fn recorded(batch_shapes: BatchShapes) -> (Encoder, Shapes) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/tiny-bert");
    let source = Source::Directory(root.into());
    let loaded = load(&source, &LoadOptions::default(), Provider::Cpu, None);
    let Loaded { files, backend } = loaded.expect("the model loads");
    let shapes = Shapes::default();
    let backend = Recording {
        backend,
        batch_shapes,
        shapes: Arc::clone(&shapes),
    };
    let options = EncodeOptions::default();
    let encoder = Encoder::new(files.parts, Box::new(backend), files.weights, &options)
        .expect("the backend fits the model");
    shapes.lock().expect("nobody panics").clear();
    (encoder, shapes)
}

fn taken(shapes: &Shapes) -> Vec<[usize; 2]> {
    std::mem::take(&mut shapes.lock().expect("nobody panics"))
}

#[test]
fn devices_see_few_shapes() {
    let words = |count: usize| "a ".repeat(count);
    // Each gets a marker and two special tokens.
    let texts = [3, 30, 4, 5, 17, 33].map(words);
    let (device, of_device) = recorded(BatchShapes::Buckets);
    let found = device.encode_documents(&texts).expect("texts encode");
    assert_eq!(taken(&of_device), [[2, 48], [1, 24], [4, 16]]);

    let (exact, shapes) = recorded(BatchShapes::Exact);
    let expected = exact.encode_documents(&texts).expect("texts encode");
    assert_eq!(taken(&shapes), [[4, 36], [2, 7]]);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.tokens(), expected.tokens());
        for (found, expected) in found.as_slice().iter().zip(expected.as_slice()) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    // The user's choice comes first.
    let mut options = EncodeOptions::default();
    options.batch_shapes = BatchShapes::Exact;
    let device = device.with_options(&options).expect("options are valid");
    device.encode_documents(&texts).expect("texts encode");
    assert_eq!(taken(&of_device), [[4, 36], [2, 7]]);
}
