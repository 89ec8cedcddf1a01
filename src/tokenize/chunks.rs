//! Long texts, tokenized in pieces: a tokenizer takes a hundred times a text's
//! size, and few of its tokens are kept.

use tokenizers::{
    AddedToken, Encoding, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, Tokenizer, TruncationDirection,
};

/// Bytes of a piece, about, where texts may be cut.
pub(super) const PIECE: usize = 64 << 10;

/// Words with all that may be beside a cut.
const SAMPLE: &str = "Late interaction, (ColBERT) keeps 128 columns: for each! of 7.5 tokens; \
    does it? X \"quotes\" and' 9' 10, V. w. Y) 8) e\" f";

/// Bytes of the pieces that a tokenizer is given, about: all, where texts may not
/// be cut between words, or where their last tokens are kept.
pub(super) fn size(tokenizer: &Tokenizer, direction: TruncationDirection) -> usize {
    match direction {
        TruncationDirection::Right if are_words_apart(tokenizer) => PIECE,
        _ => usize::MAX,
    }
}

/// Whether tokens on either side of a cut between words are what they are without
/// it.
fn are_words_apart(tokenizer: &Tokenizer) -> bool {
    let added = tokenizer.get_added_tokens_decoder();
    let reaches_over = |token: &AddedToken| {
        let content = &token.content;
        let ends_in_word = content.trim_end().bytes().last().is_some_and(ends_word);
        words(content).nth(1).is_some() || ends_in_word && (token.rstrip || content.ends_with(' '))
    };
    if added.values().any(reaches_over) || splits(tokenizer).is_none_or(has_cut) {
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

/// What a tokenizer's model gets of the sample, as bytes of it: no token is made
/// of more than one of these. `None` if it gets all at once.
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

/// Whether any part of the sample has a cut in it.
fn has_cut(splits: Vec<(usize, usize)>) -> bool {
    let cuts: Vec<usize> = words(SAMPLE).map(|(at, _)| at).collect();
    let is_within = |&(start, end): &(usize, usize)| cuts.iter().any(|&at| start < at && at < end);
    splits.iter().any(is_within)
}

/// The first tokens of a text, no fewer than `room` if there are so many, and how
/// many there are in all; in pieces of so many bytes.
pub(super) fn encode(
    (tokenizer, piece): (&Tokenizer, usize),
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
        size = size.saturating_mul(4);
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
    let mut places = size.max(1)..text.len();
    match places.find(|&at| is_between(text.as_bytes(), at)) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    }
}

/// What may be before a cut. Brackets end added tokens, such as `[D] ` with its
/// space.
#[inline]
fn ends_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".,;:!?'\")".contains(&byte)
}

/// Whether there is a space between words.
#[inline]
fn is_between(text: &[u8], at: usize) -> bool {
    text[at] == b' '
        && at > 0
        && ends_word(text[at - 1])
        && text.get(at + 1).is_some_and(u8::is_ascii_alphanumeric)
}

/// Words of a text, each with the space before it, and where they start.
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
        fn pieces_have_the_tokens_of_the_whole(
            words in vec(select(&WORDS[..]), 0..80),
            piece in 1..40usize,
            room in 0..40usize,
        ) {
            let text = words.concat();
            for tokenizer in TOKENIZERS.iter() {
                prop_assert_eq!(size(tokenizer, TruncationDirection::Right), PIECE);
                let whole = tokenizer.encode(&*text, false).expect("it encodes");
                let found = encode((tokenizer, piece), &text, room);
                let (first, count) = found.expect("so do these");
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
        assert_eq!(size(&tokenizer, TruncationDirection::Right), usize::MAX);
        // Tokens may be made of several words where nothing splits these.
        let mut tokenizer = self::tokenizer("tiny-modernbert");
        assert!(are_words_apart(&tokenizer));
        tokenizer.with_pre_tokenizer(None::<PreTokenizerWrapper>);
        assert!(!are_words_apart(&tokenizer));
        let splits_nothing = ByteLevel::new(false, true, false);
        tokenizer.with_pre_tokenizer(Some(splits_nothing));
        assert!(!are_words_apart(&tokenizer));
        assert_eq!(cut("one two", 1), ("one", " two"));
        assert_eq!(cut("one  two. 3", 1), ("one  two.", " 3"));
        assert_eq!(cut("one  two -3 ", 1), ("one  two -3 ", ""));
        let found: Vec<_> = words("a b, c  d e\u{301} f").collect();
        let expected = [(0, "a"), (1, " b,"), (4, " c  d"), (9, " e\u{301} f")];
        assert_eq!(found, expected);
        assert_eq!(words("").count(), 0);
    }
}
