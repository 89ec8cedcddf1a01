//! Tokenizing long texts in chunks. A tokenizer needs about a hundred times the
//! memory of a text, of which few tokens are kept.

use tokenizers::{
    AddedToken, Encoding, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, Tokenizer, TruncationDirection,
};

/// Approximate bytes of a chunk.
pub(super) const CHUNK: usize = 64 << 10;

/// Words with every character that may be next to a cut.
const SAMPLE: &str = "Late interaction, (ColBERT) keeps 128 columns: for each! of 7.5 tokens; \
    does it? X \"quotes\" and' 9' 10, V. w. Y) 8) e\" f";

/// Approximate bytes of the chunks for a tokenizer. `usize::MAX`, for whole
/// texts, where a cut between words would change the tokens, and where
/// truncation keeps the end of a text.
pub(super) fn size(tokenizer: &Tokenizer, direction: TruncationDirection) -> usize {
    match direction {
        TruncationDirection::Right if has_independent_words(tokenizer) => CHUNK,
        _ => usize::MAX,
    }
}

/// Whether a text has the same tokens with and without a cut between words.
fn has_independent_words(tokenizer: &Tokenizer) -> bool {
    let added = tokenizer.get_added_tokens_decoder();
    let spans_a_cut = |token: &AddedToken| {
        let content = &token.content;
        let ends_in_word = content.trim_end().bytes().last().is_some_and(ends_word);
        words(content).nth(1).is_some() || ends_in_word && (token.rstrip || content.ends_with(' '))
    };
    if added.values().any(spans_a_cut) || splits(tokenizer).is_none_or(are_cut) {
        return false;
    }
    let encode = |text: &str| tokenizer.encode(text, false).ok();
    let Some(whole) = encode(SAMPLE) else {
        return false;
    };
    let (mut ids, mut offsets) = (Vec::new(), Vec::new());
    for (at, word) in words(SAMPLE) {
        let Some(found) = encode(word) else {
            return false;
        };
        ids.extend_from_slice(found.get_ids());
        let found = found.get_offsets().iter();
        offsets.extend(found.map(|(start, end)| (at + start, at + end)));
    }
    ids == whole.get_ids() && offsets == whole.get_offsets()
}

/// The parts of the sample that the tokenizer's model gets, as ranges of bytes;
/// no token spans several of them. `None` without a pre-tokenizer.
fn splits(tokenizer: &Tokenizer) -> Option<Vec<(usize, usize)>> {
    let mut text = PreTokenizedString::from(SAMPLE);
    if let Some(normalizer) = tokenizer.get_normalizer() {
        text.normalize(|part| normalizer.normalize(part)).ok()?;
    }
    tokenizer
        .get_pre_tokenizer()?
        .pre_tokenize(&mut text)
        .ok()?;
    let splits = text.get_splits(OffsetReferential::Original, OffsetType::Byte);
    Some(splits.into_iter().map(|(_, offsets, _)| offsets).collect())
}

/// Whether a cut would divide any part of the sample.
fn are_cut(splits: Vec<(usize, usize)>) -> bool {
    let cuts: Vec<usize> = words(SAMPLE).map(|(at, _)| at).collect();
    let is_within = |&(start, end): &(usize, usize)| cuts.iter().any(|&at| start < at && at < end);
    splits.iter().any(is_within)
}

/// The start of a text, tokenized.
pub(super) struct Chunked {
    /// At least as many tokens as were asked for, if the text has them.
    pub(super) start: Encoding,
    /// Tokens of the whole text.
    pub(super) found: usize,
}

/// Tokenizes a text in chunks of about `chunk` bytes, and keeps those that have
/// the first `room` tokens.
pub(super) fn encode(
    tokenizer: &Tokenizer,
    chunk: usize,
    text: &str,
    room: usize,
) -> tokenizers::Result<Chunked> {
    let mut size = chunk;
    let (start, mut rest) = loop {
        let (start, rest) = cut(text, size);
        let start = tokenizer.encode(start, false)?;
        if start.len() >= room || rest.is_empty() {
            break (start, rest);
        }
        size = size.saturating_mul(4);
    };
    let mut found = start.len();
    while !rest.is_empty() {
        let (next, left) = cut(rest, chunk);
        found += tokenizer.encode(next, false)?.len();
        rest = left;
    }
    Ok(Chunked { start, found })
}

/// Cuts a text before the first space between words after `size` bytes.
fn cut(text: &str, size: usize) -> (&str, &str) {
    let mut positions = size.max(1)..text.len();
    match positions.find(|&at| is_between(text.as_bytes(), at)) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    }
}

/// Whether a cut may follow this byte. Not a bracket, which ends added tokens
/// such as `[D] ` before their space.
#[inline]
fn ends_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".,;:!?'\")".contains(&byte)
}

/// Whether the byte at `at` is a space between words.
#[inline]
fn is_between(text: &[u8], at: usize) -> bool {
    text[at] == b' '
        && at > 0
        && ends_word(text[at - 1])
        && text.get(at + 1).is_some_and(u8::is_ascii_alphanumeric)
}

/// The words of a text, each with the space before it, and their positions.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let (word, _) = cut(rest, 1);
        let at = start;
        start += word.len();
        Some((at, word))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::LazyLock;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use tokenizers::PreTokenizerWrapper;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    use super::*;

    pub(in super::super) fn tokenizer(model: &str) -> Tokenizer {
        let root = env!("CARGO_MANIFEST_DIR");
        let path = format!("{root}/tests/fixtures/{model}/tokenizer.json");
        let mut tokenizer = Tokenizer::from_file(path).expect("it is a tokenizer");
        tokenizer.with_truncation(None).expect("it is valid");
        tokenizer
    }

    static TOKENIZERS: LazyLock<[Tokenizer; 2]> =
        LazyLock::new(|| ["tiny-bert", "tiny-modernbert"].map(tokenizer));

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
        fn chunks_have_the_tokens_of_the_text(
            words in vec(select(&WORDS[..]), 0..80),
            chunk in 1..40usize,
            room in 0..40usize,
        ) {
            let text = words.concat();
            for tokenizer in TOKENIZERS.iter() {
                prop_assert_eq!(size(tokenizer, TruncationDirection::Right), CHUNK);
                let whole = tokenizer.encode(&*text, false).expect("it encodes");
                let chunked = encode(tokenizer, chunk, &text, room);
                let Chunked { start, found } = chunked.expect("chunks encode");
                prop_assert_eq!(found, whole.len());
                let kept = start.len();
                prop_assert!(kept >= room.min(found));
                prop_assert_eq!(start.get_ids(), &whole.get_ids()[..kept]);
                prop_assert_eq!(start.get_offsets(), &whole.get_offsets()[..kept]);
            }
        }
    }

    #[test]
    fn words_that_share_a_token_are_not_cut() {
        let mut tokenizer = tokenizer("tiny-bert");
        let added = AddedToken::from("two words", false);
        tokenizer.add_tokens([added]).expect("it is added");
        assert!(!has_independent_words(&tokenizer));
        assert_eq!(size(&tokenizer, TruncationDirection::Right), usize::MAX);
        // Without a split, a token may consist of several words.
        let mut tokenizer = self::tokenizer("tiny-modernbert");
        assert!(has_independent_words(&tokenizer));
        tokenizer.with_pre_tokenizer(None::<PreTokenizerWrapper>);
        assert!(!has_independent_words(&tokenizer));
        let splits_nothing = ByteLevel::new(false, true, false);
        tokenizer.with_pre_tokenizer(Some(splits_nothing));
        assert!(!has_independent_words(&tokenizer));
        assert_eq!(cut("one two", 1), ("one", " two"));
        assert_eq!(cut("one  two. 3", 1), ("one  two.", " 3"));
        assert_eq!(cut("one  two -3 ", 1), ("one  two -3 ", ""));
        let found: Vec<_> = words("a b, c  d e\u{301} f").collect();
        let expected = [(0, "a"), (1, " b,"), (4, " c  d"), (9, " e\u{301} f")];
        assert_eq!(found, expected);
        assert_eq!(words("").count(), 0);
    }
}
