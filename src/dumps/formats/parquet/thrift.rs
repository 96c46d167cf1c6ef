//! Thrift's compact protocol, as far as Parquet's headers need it: any value, as a tree, within limits.

use std::collections::BTreeMap;

/// The most values that one header may have.
const MOST_VALUES: usize = 2_000_000;
const DEEPEST: u32 = 24;

/// A value of a header.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Other,
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Struct(BTreeMap<i64, Value>),
}

impl Value {
    /// A field of a struct.
    pub fn field(&self, number: i64) -> Option<&Value> {
        match self {
            Value::Struct(fields) => fields.get(&number),
            _ => None,
        }
    }

    pub fn int(&self, number: i64) -> Option<i64> {
        match self.field(number)? {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub fn list(&self, number: i64) -> &[Value] {
        match self.field(number) {
            Some(Value::List(values)) => values,
            _ => &[],
        }
    }

    pub fn text(&self, number: i64) -> Option<String> {
        match self.field(number)? {
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }
}

/// Reads a struct at the start of these bytes, and how long it was; none if it is not one, or not all there.
pub(super) fn read(bytes: &[u8]) -> Option<(Value, usize)> {
    let mut reader = Reader { bytes, at: 0, values: 0 };
    let value = reader.structure(0)?;
    Some((value, reader.at))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn skip(&mut self, count: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(count)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn structure(&mut self, depth: u32) -> Option<Value> {
        let (mut fields, mut number) = (BTreeMap::new(), 0i64);
        loop {
            let header = self.byte()?;
            let kind = header & 15;
            if kind == 0 {
                return Some(Value::Struct(fields));
            }
            number = if header >> 4 == 0 { self.signed()? } else { number.wrapping_add(i64::from(header >> 4)) };
            let value = match kind {
                1 => Value::Bool(true),
                2 => Value::Bool(false),
                _ => self.value(kind, depth)?,
            };
            fields.insert(number, value);
        }
    }

    fn value(&mut self, kind: u8, depth: u32) -> Option<Value> {
        self.values += 1;
        if self.values > MOST_VALUES || depth > DEEPEST {
            return None;
        }
        Some(match kind {
            1 | 2 => Value::Bool(self.byte()? == 1),
            3 => Value::Int(i64::from(self.byte()? as i8)),
            4..=6 => Value::Int(self.signed()?),
            7 => {
                self.skip(8)?;
                Value::Other
            }
            8 => {
                let length = usize::try_from(self.unsigned()?).ok()?;
                Value::Bytes(self.skip(length)?.to_vec())
            }
            9 | 10 => {
                let header = self.byte()?;
                let count = if header >> 4 == 15 { self.unsigned()? } else { u64::from(header >> 4) };
                let values = (0..count).map(|_| self.value(header & 15, depth + 1)).collect::<Option<Vec<_>>>()?;
                Value::List(values)
            }
            11 => {
                let count = self.unsigned()?;
                if count > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..count {
                        self.value(kinds >> 4, depth + 1)?;
                        self.value(kinds & 15, depth + 1)?;
                    }
                }
                Value::Other
            }
            12 => self.structure(depth + 1)?,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn structs_lists_and_numbers_are_read() {
        // 1: -3, 2: "ab", 4: [1, 2], 20: true
        let bytes = [0x15, 5, 0x18, 2, b'a', b'b', 0x29, 0x25, 2, 4, 0x01, 40, 0, 99];
        let (value, length) = read(&bytes).unwrap();
        assert_eq!((value.int(1), value.text(2), length), (Some(-3), Some("ab".to_owned()), 13));
        assert_eq!(value.list(4), [Value::Int(1), Value::Int(2)]);
        assert_eq!(value.field(20), Some(&Value::Bool(true)));
        assert_eq!(read(&bytes[..8]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let length = bytes.len();
            prop_assert!(read(&bytes).is_none_or(|(_, read)| read <= length));
        }
    }
}
