//! Sizes in files of Arrow's IPC format, which its reader allocates as they are
//! stated.
//!
//! Source: Apache Arrow, "Arrow Columnar Format", "Serialization and Interprocess
//! Communication".

use std::io::{self, Read, Seek, SeekFrom};

use arrow_ipc::{root_as_footer, root_as_message};

const MAGIC: &[u8] = b"ARROW1";
const CONTINUATION: [u8; 4] = [0xff; 4];

/// What is in a file of the format.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ipc {
    File,
    Stream,
}

/// Tells a file from a stream, and refuses one that states more bytes than it
/// has. Leaves it at its start.
pub(crate) fn check<R: Read + Seek>(file: &mut R) -> io::Result<Ipc> {
    let size = file.seek(SeekFrom::End(0))?;
    let start = part(file, 0, size.min(MAGIC.len() as u64), size)?;
    if start.starts_with(b"FEA1") {
        return Err(invalid(
            "Feather version 1, where version 2 (Arrow IPC) is expected",
        ));
    }
    let found = if start == MAGIC {
        check_file(file, size)?;
        Ipc::File
    } else {
        check_stream(file, size)?;
        Ipc::Stream
    };
    file.rewind()?;
    Ok(found)
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A part of a file, if it is within it.
fn part<R: Read + Seek>(file: &mut R, start: u64, length: u64, size: u64) -> io::Result<Vec<u8>> {
    if start.checked_add(length).is_none_or(|end| end > size) {
        return Err(invalid(format!(
            "expected at most {size} bytes, found a part of {length} from {start} on"
        )));
    }
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The footer has the place of each message.
fn check_file<R: Read + Seek>(file: &mut R, size: u64) -> io::Result<()> {
    let end = MAGIC.len() as u64 + 4;
    let start = size.checked_sub(end).ok_or_else(|| invalid("no footer"))?;
    let bytes = part(file, start, 4, size)?;
    let length = number(&bytes)?;
    let start = start.checked_sub(length);
    let start = start.ok_or_else(|| invalid("a footer that is longer than the file"))?;
    let bytes = part(file, start, length, size)?;
    let footer = root_as_footer(&bytes).map_err(|error| invalid(error.to_string()))?;
    let blocks = footer.recordBatches().into_iter().flatten();
    for block in blocks.chain(footer.dictionaries().into_iter().flatten()) {
        let parts = [
            block.offset(),
            block.metaDataLength().into(),
            block.bodyLength(),
        ];
        let mut parts = parts.into_iter().map(|part| u64::try_from(part).ok());
        let sum = parts.try_fold(0u64, |sum, part| sum.checked_add(part?));
        if sum.is_none_or(|end| end > size) {
            return Err(invalid("a batch that ends behind the file"));
        }
    }
    Ok(())
}

/// Each message says how long it and its body are.
fn check_stream<R: Read + Seek>(file: &mut R, size: u64) -> io::Result<()> {
    let mut at = 0;
    while at < size {
        let mut start = part(file, at, 4, size)?;
        at += 4;
        if start == CONTINUATION {
            start = part(file, at, 4, size)?;
            at += 4;
        }
        let length = number(&start)?;
        if length == 0 {
            return Ok(());
        }
        let bytes = part(file, at, length, size)?;
        let message = root_as_message(&bytes).map_err(|error| invalid(error.to_string()))?;
        let body = u64::try_from(message.bodyLength()).ok();
        let end = body.and_then(|body| (at + length).checked_add(body));
        at = end
            .filter(|&end| end <= size)
            .ok_or_else(|| invalid("a batch that ends behind the file"))?;
    }
    Ok(())
}

/// A length of 32 bits.
fn number(bytes: &[u8]) -> io::Result<u64> {
    let bytes = bytes.first_chunk::<4>().copied();
    let number = bytes.and_then(|bytes| u64::try_from(i32::from_le_bytes(bytes)).ok());
    number.ok_or_else(|| invalid("expected a length, found none"))
}
