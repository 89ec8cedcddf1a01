//! Engines and what they run on.

#![allow(clippy::expect_used, clippy::panic)]

mod chosen;
mod custom_backend;
mod providers;
