//! Encodes a few documents and a query, ranks the documents, and shows which
//! tokens matched.
//!
//! ```sh
//! cargo run -p multivec --example encode_and_rank -- models/minilm-colbert
//! ```

use std::error::Error;

use multivec::{EncoderBuilder, TokenRole, matches, rank};

const DOCUMENTS: [&str; 3] = [
    "Bees collect nectar and turn it into honey.",
    "The Moon causes the tides of the oceans.",
    "Bread rises because yeast gives off gas.",
];

fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::args().nth(1);
    let model = model.as_deref().unwrap_or("models/minilm-colbert");
    let encoder = EncoderBuilder::from_dir(model).build()?;
    let info = encoder.info();
    println!(
        "{} {}, {}",
        info.engine, info.engine_version, info.precision
    );

    let documents = encoder.encode_documents(&DOCUMENTS)?;
    let query = encoder.encode_query("Which animal makes honey?")?;
    let ranking = rank(&query, &documents)?;
    for hit in &ranking {
        println!("{:6.2}  {}", hit.score, DOCUMENTS[hit.index]);
    }

    let best = &documents[ranking[0].index];
    for (row, found) in matches(&query, best)?.iter().enumerate() {
        // Markers and expansion tokens match something, too, but say little.
        for token in query.row_tokens(row) {
            if let (TokenRole::Text, Some(matched)) = (token.role, found.row) {
                let words: Vec<String> = best
                    .row_tokens(matched)
                    .into_iter()
                    .map(|token| token.text)
                    .collect();
                println!(
                    "{:>12} -> {} ({:.2})",
                    token.text,
                    words.join(" "),
                    found.score
                );
            }
        }
    }
    Ok(())
}
