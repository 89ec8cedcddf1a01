//! Models by their ids, from a hub on loopback.

#![allow(clippy::expect_used, clippy::panic)]

mod cached;
mod files;
mod refused;
mod support;
mod transfers;
