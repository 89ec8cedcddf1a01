//! tract, natively, against PyLate's references.

#[test]
fn tokens() {
    multivec_testing::tract::tokens();
}

#[test]
fn fp32() {
    multivec_testing::tract::fp32();
}

#[test]
fn fp32_batches() {
    multivec_testing::tract::fp32_batches();
}

#[test]
fn int8_of_the_demo_model() {
    multivec_testing::tract::int8_of_the_demo_model();
}
