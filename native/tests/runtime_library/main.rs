//! Finding and loading of the ONNX Runtime library. A process holds one
//! library, so that every case runs in a process of its own: this file's test
//! `child`, started again with its instructions in the environment.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic)]

mod child;
mod found;
mod refused;
