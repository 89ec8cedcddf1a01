//! PyLate's references on each engine.

#![allow(clippy::expect_used, clippy::panic)]

mod onnxruntime;
mod tract;
