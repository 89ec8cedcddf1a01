//! Fields of a protobuf file, read one at a time.
//!
//! Source of the encoding: Protocol Buffers, "Encoding".

use std::io::{self, BufReader, ErrorKind, Read, Seek};

/// A field whose tag, and length where it has one, have been read.
pub(super) struct Field {
    tag: u64,
    /// The bytes that have been read.
    head: Vec<u8>,
    /// The position of its end in the file.
    pub(super) end: u64,
}

impl Field {
    /// Whether it has that number, and a length: a message, bytes or a string.
    pub(super) fn is_message(&self, number: u64) -> bool {
        self.tag == number << 3 | 2
    }
}

pub(super) struct FieldReader<R> {
    reader: BufReader<R>,
    position: u64,
    /// The size of the file.
    end: u64,
}

impl<R: Read + Seek> FieldReader<R> {
    /// Starts at the beginning of a file.
    pub(super) fn new(mut reader: R) -> io::Result<Self> {
        let end = reader.seek(io::SeekFrom::End(0))?;
        reader.rewind()?;
        Ok(Self {
            reader: BufReader::new(reader),
            position: 0,
            end,
        })
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Reads the head of a field of a message that ends at `end`.
    pub(super) fn field(&mut self, end: u64) -> io::Result<Field> {
        let mut head = Vec::new();
        let tag = self.number(&mut head)?;
        let length = match tag & 7 {
            // The end of a number is known once it has been read.
            0 => {
                self.number(&mut head)?;
                0
            }
            1 => 8,
            2 => self.number(&mut head)?,
            5 => 4,
            other => {
                let found = format!("expected a field of a known type, found the type {other}");
                return Err(invalid(found));
            }
        };
        let last = self.position.checked_add(length);
        let last = last.filter(|&last| last <= end).ok_or_else(|| {
            let left = end.saturating_sub(self.position);
            invalid(format!(
                "expected a field of at most {left} bytes, found one of {length}"
            ))
        })?;
        Ok(Field {
            tag,
            head,
            end: last,
        })
    }

    fn number(&mut self, head: &mut Vec<u8>) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.reader.read_exact(&mut byte)?;
            self.position += 1;
            head.push(byte[0]);
            number |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(number);
            }
        }
        Err(invalid("expected a number of at most 64 bits"))
    }

    /// Appends a field to `to`, head included.
    pub(super) fn copy(&mut self, field: &Field, to: &mut Vec<u8>) -> io::Result<()> {
        to.extend(&field.head);
        let length = field.end - self.position;
        let read = (&mut self.reader).take(length).read_to_end(to)?;
        self.position = field.end;
        if read as u64 == length {
            Ok(())
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    /// Moves to the end of a field without reading it.
    pub(super) fn skip(&mut self, field: &Field) -> io::Result<()> {
        // Fields are no longer than the file.
        let length = (field.end - self.position) as i64;
        self.reader.seek_relative(length)?;
        self.position = field.end;
        Ok(())
    }
}

/// An error of the file's content.
pub(super) fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
