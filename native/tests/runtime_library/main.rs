//! How the ONNX Runtime library is found and loaded. A process can load one
//! library, so each case runs in a process of its own: a test of `child`, which
//! gets its instructions from the environment.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic)]

mod child;
mod engine;
mod found;
mod refused;
