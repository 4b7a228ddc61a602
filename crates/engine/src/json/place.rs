//! Finding a value in a text again, once it is known that it must be told where it stands.

use super::error::Step;

/// Line and column, both from 1, of the end of the value to which the steps lead. The text is valid JSON.
pub(super) fn of(json: &[u8], steps: &[Step]) -> (usize, usize) {
    let mut scan = Scan { json, at: 0 };
    for step in steps {
        scan.enter(step);
    }
    scan.skip_value();
    let before = json.get(..scan.at).unwrap_or(json);
    let lines = before.split(|byte| *byte == b'\n');
    let column = lines.clone().next_back().map_or(0, <[u8]>::len);
    (lines.count(), column)
}

struct Scan<'a> {
    json: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// From before a list or an object to before the value of the step, or its key.
    fn enter(&mut self, step: &Step) {
        self.skip_spaces();
        self.at += 1;
        let is_object = step.key.is_some();
        for _ in 0..step.index {
            if is_object {
                self.skip_key();
            }
            self.skip_value();
            self.skip_spaces();
            self.at += 1;
        }
        if is_object && !step.is_key {
            self.skip_key();
        }
    }

    /// A key and its colon.
    fn skip_key(&mut self) {
        self.skip_value();
        self.skip_spaces();
        self.at += 1;
    }

    fn skip_value(&mut self) {
        self.skip_spaces();
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.skip_text(),
                b'[' | b'{' => depth += 1,
                b']' | b'}' if depth > 0 => depth -= 1,
                b']' | b'}' | b',' | b':' if depth == 0 => return,
                b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return,
                _ => {}
            }
            self.at += 1;
            if depth == 0 && matches!(byte, b'"' | b']' | b'}') {
                return;
            }
        }
    }

    /// From the quote at the beginning to the quote at the end.
    fn skip_text(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek().filter(|byte| *byte != b'"') {
            self.at += if byte == b'\\' { 2 } else { 1 };
        }
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }
}
