//! tract on this machine against PyLate's references.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::expect_used, clippy::panic)]

mod suite;

#[test]
fn tokens() {
    suite::tokens();
}

#[test]
fn fp32() {
    suite::fp32();
}

#[test]
fn fp32_batches() {
    suite::fp32_batches();
}

#[test]
fn int8_of_the_demo_model() {
    suite::int8_of_the_demo_model();
}
