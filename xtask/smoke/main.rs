//! A user's first program, built from the packaged crates.

use std::error::Error;

use multivec::{EncoderBuilder, rank};

fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::args().nth(1).ok_or("expected a model's folder")?;
    let encoder = EncoderBuilder::from_dir(model).build()?;
    let documents = encoder.encode_documents(&[
        "The Moon causes the tides of the oceans.",
        "Bees collect nectar and turn it into honey.",
    ])?;
    let query = encoder.encode_query("Which animal makes honey?")?;
    let ranking = rank(&query, &documents)?;
    assert_eq!(ranking[0].index, 1, "bees make honey");
    println!("    {}", encoder.fingerprint());
    Ok(())
}
