use super::*;

fn input(bytes: &'static [u8], format: Option<InputFormat>) -> Lines {
    Lines::new(bytes, "texts".to_owned(), format)
}

fn read(bytes: &'static [u8], format: InputFormat) -> Result<Vec<InputText>> {
    all(&mut input(bytes, Some(format)))
}

fn all(lines: &mut Lines) -> Result<Vec<InputText>> {
    std::iter::from_fn(|| lines.read_text().transpose()).collect()
}

fn texts(bytes: &'static [u8], format: Option<InputFormat>) -> Vec<String> {
    let found = all(&mut input(bytes, format)).expect("texts");
    found.into_iter().map(|line| line.text).collect()
}

#[test]
fn plain_lines() {
    let found = texts(b"one\r\n\n two", Some(InputFormat::Text));
    assert_eq!(found, ["one", "", " two"]);
}

#[test]
fn json_lines_keep_ids() {
    let lines = b"{\"text\": \"a\", \"id\": 7}\n{\"text\": \"b\", \"x\": 1}\n";
    let found = read(lines, InputFormat::Jsonl).expect("two lines");
    assert_eq!(found[0].id, Some(7.into()));
    assert_eq!(found[1].id, None);
}

#[test]
fn a_byte_order_mark_is_left_out_at_the_start() {
    for format in [Some(InputFormat::Text), None] {
        let found = texts(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo", format);
        assert_eq!(found, ["one", "\u{feff}two"]);
    }
    for format in [Some(InputFormat::Jsonl), None] {
        let found = texts(b"\xef\xbb\xbf{\"text\": \"one\"}\r\n", format);
        assert_eq!(found, ["one"]);
    }
}

#[test]
fn blank_json_lines_are_left_out() {
    let lines = b"\n{\"text\": \"a\"}\n  \r\n{\"text\": \"b\"}\n\n\t\n";
    for format in [Some(InputFormat::Jsonl), None] {
        let found = all(&mut input(lines, format)).expect("two texts");
        let places: Vec<_> = found.iter().map(|text| (text.index, text.line)).collect();
        assert_eq!(places, [(0, 2), (1, 4)]);
    }
}

#[test]
fn bad_lines_are_named() {
    let lines = b"{\"text\": \"a\"}\n\n{\"txt\": 1}\n";
    let error = read(lines, InputFormat::Jsonl).expect_err("no text");
    let message = error.to_string();
    assert!(
        message.starts_with("texts:3: expected a JSON object"),
        "{message}"
    );
    let error = read(b"ok\n\xff\n", InputFormat::Text).expect_err("no UTF-8");
    assert!(
        error
            .to_string()
            .starts_with("texts:2: expected text in UTF-8")
    );
}

#[test]
fn bad_lines_are_skipped() {
    let lines = b"{\"text\": \"a\"}\n\n{\n{\"text\": \"b\"}\n\xff\n";
    let mut input = input(lines, None).with_on_error(OnError::Skip);
    let chunk = input.read_chunk().expect("the good lines");
    let found: Vec<_> = chunk.texts.iter().map(|text| text.index).collect();
    assert_eq!(found, [0, 2]);
    let skipped = chunk.skipped.iter().map(|line| (line.index, line.line));
    assert_eq!(skipped.collect::<Vec<_>>(), [(1, 3), (3, 5)]);
    assert!(chunk.skipped[1].reason.contains("UTF-8"));
    assert!(input.read_chunk().expect("the end").is_empty());
}

/// Their rest is not taken for the next line.
#[test]
fn lines_that_are_too_long_are_skipped_whole() {
    let lines = b"12345678901234567890\n12345678\nlast";
    for (on_error, expected) in [(OnError::Fail, None), (OnError::Skip, Some(1))] {
        let mut input = input(lines, Some(InputFormat::Text)).with_on_error(on_error);
        input.longest_line = 9;
        let found = input.read_chunk().ok();
        assert_eq!(found.as_ref().map(|chunk| chunk.skipped.len()), expected);
        if let Some(chunk) = found {
            let texts: Vec<&str> = chunk.texts.iter().map(|text| text.text.as_str()).collect();
            assert_eq!(texts, ["12345678", "last"]);
            assert_eq!(input.bytes, lines.len() as u64);
        }
    }
}
