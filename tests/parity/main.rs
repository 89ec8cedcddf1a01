//! Each engine against PyLate's references.

#![allow(clippy::expect_used, clippy::panic)]

mod onnxruntime;
mod tract;
