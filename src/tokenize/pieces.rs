//! Long texts, tokenized in pieces: a tokenizer takes a hundred times a text's
//! size, and few of its tokens are kept.

use tokenizers::{AddedToken, Encoding, Tokenizer};

/// Bytes of a piece, about.
const PIECE: usize = 64 << 10;

/// Whether texts may be cut between words: tokens on either side are what they
/// are without the cut.
pub(super) fn are_words_apart(tokenizer: &Tokenizer) -> bool {
    let added = tokenizer.get_added_tokens_decoder();
    let reaches_over = |token: &AddedToken| {
        let content = &token.content;
        let ends_in_word = content
            .trim_end()
            .ends_with(|last: char| last.is_ascii_alphanumeric());
        !cut(content, 1).1.is_empty() || ends_in_word && (token.rstrip || content.ends_with(' '))
    };
    if added.values().any(reaches_over) {
        return false;
    }
    let ids = |text: &str| {
        tokenizer
            .encode(text, false)
            .ok()
            .map(|found| found.get_ids().to_vec())
    };
    let text = "Late interaction keeps 128 columns for each of 7 tokens";
    let spaces = text.match_indices(' ');
    spaces.into_iter().all(|(at, _)| {
        let parts = [ids(&text[..at]), ids(&text[at..])].map(Option::unwrap_or_default);
        ids(text) == Some(parts.concat())
    })
}

/// The first tokens of a text, no fewer than `room` if there are so many, and how
/// many there are in all.
pub(super) fn encode(
    tokenizer: &Tokenizer,
    text: &str,
    room: usize,
) -> tokenizers::Result<(Encoding, usize)> {
    encode_by(PIECE, tokenizer, text, room)
}

fn encode_by(
    piece: usize,
    tokenizer: &Tokenizer,
    text: &str,
    room: usize,
) -> tokenizers::Result<(Encoding, usize)> {
    let mut size = piece;
    let (first, mut rest) = loop {
        let (start, rest) = cut(text, size);
        let first = tokenizer.encode(start, false)?;
        if first.len() >= room || rest.is_empty() {
            break (first, rest);
        }
        size *= 4;
    };
    let mut count = first.len();
    while !rest.is_empty() {
        let (next, left) = cut(rest, piece);
        count += tokenizer.encode(next, false)?.len();
        rest = left;
    }
    Ok((first, count))
}

/// Cuts a text before the first space between words that is so far in.
fn cut(text: &str, size: usize) -> (&str, &str) {
    let bytes = text.as_bytes();
    let is_between = |at: &usize| {
        let beside = [bytes[at - 1], bytes[at + 1]];
        bytes[*at] == b' ' && beside.iter().all(u8::is_ascii_alphanumeric)
    };
    let mut places = size.max(1)..bytes.len().saturating_sub(1);
    match places.find(is_between) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn tokenizer(model: &str) -> Tokenizer {
        let root = env!("CARGO_MANIFEST_DIR");
        let path = format!("{root}/tests/fixtures/{model}/tokenizer.json");
        let mut tokenizer = Tokenizer::from_file(path).expect("it is a tokenizer");
        tokenizer.with_truncation(None).expect("it is valid");
        tokenizer
    }

    const WORDS: [&str; 10] = [
        " ",
        "a",
        " late",
        " interaction",
        "\n",
        ". ",
        " 7.5e-3",
        " 東京",
        " e\u{301}",
        " [MASK]",
    ];

    proptest! {
        #[test]
        fn pieces_have_the_tokens_of_the_whole(
            words in vec(select(&WORDS[..]), 0..80),
            piece in 1..40usize,
            room in 0..40usize,
        ) {
            let text = words.concat();
            for model in ["tiny-bert", "tiny-modernbert"] {
                let tokenizer = tokenizer(model);
                prop_assert!(are_words_apart(&tokenizer));
                let whole = tokenizer.encode(&*text, false).expect("it encodes");
                let (first, count) = encode_by(piece, &tokenizer, &text, room).expect("so do these");
                prop_assert_eq!(count, whole.len());
                let kept = first.len();
                prop_assert!(kept >= room.min(count));
                prop_assert_eq!(first.get_ids(), &whole.get_ids()[..kept]);
                prop_assert_eq!(first.get_offsets(), &whole.get_offsets()[..kept]);
            }
        }
    }

    #[test]
    fn words_that_belong_together_are_not_cut() {
        let mut tokenizer = tokenizer("tiny-bert");
        let added = AddedToken::from("two words", false);
        tokenizer.add_tokens([added]).expect("it is added");
        assert!(!are_words_apart(&tokenizer));
        assert_eq!(cut("one two", 1), ("one", " two"));
        assert_eq!(cut("one  two, 3", 1), ("one  two, 3", ""));
    }
}
