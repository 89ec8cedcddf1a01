//! A user's first program, built from the packaged crates.

use std::error::Error;

use multivec::{EncoderBuilder, Engine, rank};

fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::args().nth(1).ok_or("expected a model's folder")?;
    let builder = EncoderBuilder::from_dir(model);
    let refused = builder.clone().with_engine(Engine::Tract).build();
    let refused = refused
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        refused.contains("feature `tract`"),
        "no feature is on by default: {refused}"
    );
    let encoder = builder.build()?;
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
