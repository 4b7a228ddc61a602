//! Generated content: users, posts and media of realistic sizes, from a seeded source of chance.
//!
//! Invariant: the same random numbers give the same content, and the size of everything is bounded.

use std::fmt::Write as _;

use crate::random::Random;

/// Appends the name by which a virtual user is known to the target: `user-000042`.
pub fn append_user_id(vu: u32, out: &mut String) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(vu);
    out.push_str("user-");
    out.push_str(USER_DIGITS.get(digits.len()..).unwrap_or_default());
    out.push_str(digits);
}

/// Names of users sort in the order of their numbers, as far as these many digits reach.
const USER_DIGITS: &str = "000000";

/// The title of a post: 3 to 9 words.
#[must_use]
pub fn post_title(random: &mut Random) -> String {
    let mut title = String::with_capacity(64);
    append_words(random.between(3, 9), random, &mut title);
    capitalise(&mut title, 0);
    title
}

/// A post in Markdown: headings, paragraphs, lists, quotes, code and links. The number of words is log-normal
/// with a median of 450, between 40 and 4,000, as blog posts are.
#[must_use]
pub fn post_markdown(random: &mut Random) -> String {
    let words = log_normal(
        random,
        POST_WORDS_MEDIAN,
        0.8,
        POST_WORDS_MIN,
        POST_WORDS_MAX,
    );
    let mut text = String::with_capacity(usize::try_from(words).unwrap_or(0).saturating_mul(8));
    let mut left = words;
    while left > 0 {
        let block = append_block(random, left, &mut text);
        left = left.saturating_sub(block.max(1));
        text.push_str("\n\n");
    }
    text.truncate(text.trim_end().len());
    text
}

/// A kind of image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// `image/jpeg`
    Jpeg,
    /// `image/png`
    Png,
}

impl MediaKind {
    /// The kind for a value of `Content-Type`: PNG if it says so, JPEG otherwise.
    #[must_use]
    pub fn of_content_type(value: &str) -> Self {
        if value.trim().eq_ignore_ascii_case("image/png") {
            Self::Png
        } else {
            Self::Jpeg
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// How files of this kind begin.
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Jpeg => b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00",
            Self::Png => b"\x89PNG\r\n\x1A\n\x00\x00\x00\rIHDR\x00\x00\x04\x00\x00\x00\x03\x00\x08\x02\x00\x00\x00",
        }
    }
}

/// Media that begins as an image of its kind and goes on with bytes that do not compress. The size is
/// log-normal with a median of 120 KiB, between 8 KiB and 1 MiB, as pictures in blog posts are.
#[must_use]
pub fn media(kind: MediaKind, random: &mut Random) -> Vec<u8> {
    let size = log_normal(
        random,
        MEDIA_BYTES_MEDIAN,
        0.9,
        MEDIA_BYTES_MIN,
        MEDIA_BYTES_MAX,
    );
    let size = usize::try_from(size).unwrap_or(0);
    let mut bytes = Vec::with_capacity(size.saturating_add(8));
    bytes.extend_from_slice(kind.prefix());
    let mut state = random.bits() | 1;
    while bytes.len() < size {
        // xorshift64 (G. Marsaglia): eight bytes in three operations, where randomness matters to nobody.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A number whose logarithm is normally distributed around that of `median`, within limits.
fn log_normal(random: &mut Random, median: f64, sigma: f64, low: u64, high: u64) -> u64 {
    // The sum of 12 uniform numbers minus 6 is normal enough, and equal on every machine: no logarithm or
    // cosine of this machine's library is involved, only one exponential of moderate size.
    let normal: f64 = (0..12).map(|_| random.fraction()).sum::<f64>() - 6.0;
    let value = median * exp(sigma * normal);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and clamped below"
    )]
    let whole = value as u64;
    whole.clamp(low, high)
}

/// e^x by its series after halving: the standard library's is allowed to differ between platforms.
fn exp(x: f64) -> f64 {
    let small = x / 64.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..=12_u8 {
        term *= small / f64::from(n);
        sum += term;
    }
    (0..6).fold(sum, |power, _| power * power)
}

/// Appends one block of at most `left` words and answers how many it has.
fn append_block(random: &mut Random, left: u64, out: &mut String) -> u64 {
    match random.between(0, 9) {
        0 => {
            out.push_str("## ");
            let start = out.len();
            let words = random.between(2, 6).min(left);
            append_words(words, random, out);
            capitalise(out, start);
            words
        }
        1 => append_list(random, left, out),
        2 => {
            out.push_str("> ");
            append_sentence(random, left, out)
        }
        3 => append_code(random, left, out),
        _ => {
            let mut words = 0;
            for _ in 0..random.between(2, 6) {
                if words >= left {
                    break;
                }
                if words > 0 {
                    out.push(' ');
                }
                words += append_sentence(random, left - words, out);
            }
            words
        }
    }
}

fn append_list(random: &mut Random, left: u64, out: &mut String) -> u64 {
    let mut words = 0;
    for item in 0..random.between(3, 6) {
        if words >= left {
            break;
        }
        if item > 0 {
            out.push('\n');
        }
        out.push_str("- ");
        let count = random.between(3, 10).min(left - words);
        append_words(count, random, out);
        words += count;
    }
    words
}

fn append_code(random: &mut Random, left: u64, out: &mut String) -> u64 {
    out.push_str("```js\n");
    let lines = random.between(2, 6).min(left);
    for _ in 0..lines {
        let (name, value) = (word(random), random.between(0, 9_999));
        let _ = writeln!(out, "const {name} = {value};");
    }
    out.push_str("```");
    lines
}

fn append_sentence(random: &mut Random, left: u64, out: &mut String) -> u64 {
    let words = random.between(6, 22).min(left);
    let start = out.len();
    append_words(words, random, out);
    capitalise(out, start);
    match random.between(0, 11) {
        0 => {
            let (text, path) = (word(random), random.between(1, 999));
            let _ = write!(out, " [{text}](https://example.com/{path})");
        }
        1 => {
            let _ = write!(out, " **{}**", word(random));
        }
        _ => {}
    }
    out.push('.');
    words
}

fn append_words(count: u64, random: &mut Random, out: &mut String) {
    for n in 0..count {
        if n > 0 {
            out.push(' ');
        }
        out.push_str(word(random));
    }
}

fn word(random: &mut Random) -> &'static str {
    random.choice(&WORDS).copied().unwrap_or("grove")
}

/// Makes the ASCII letter at `at` a capital.
fn capitalise(text: &mut str, at: usize) {
    if let Some(first) = text.get_mut(at..at.saturating_add(1)) {
        first.make_ascii_uppercase();
    }
}

const POST_WORDS_MEDIAN: f64 = 450.0;
const POST_WORDS_MIN: u64 = 40;
const POST_WORDS_MAX: u64 = 4_000;
const MEDIA_BYTES_MEDIAN: f64 = 120.0 * 1024.0;
const MEDIA_BYTES_MIN: u64 = 8 * 1024;
const MEDIA_BYTES_MAX: u64 = 1024 * 1024;

const WORDS: [&str; 64] = [
    "a", "about", "after", "again", "and", "autumn", "bark", "because", "below", "between",
    "birch", "branch", "bright", "canopy", "cedar", "clearing", "creek", "early", "every",
    "evening", "fern", "field", "for", "forest", "from", "garden", "grove", "grow", "hazel",
    "hollow", "in", "into", "is", "leaf", "light", "listen", "long", "maple", "meadow", "morning",
    "moss", "never", "night", "oak", "of", "old", "over", "path", "quiet", "rain", "river", "root",
    "seed", "shade", "spring", "stone", "the", "through", "to", "tree", "water", "when", "wind",
    "with",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn random(purpose: u64) -> Random {
        Random::for_purpose(11, purpose)
    }

    #[test]
    fn users_are_named_by_their_number() {
        let mut id = String::new();
        append_user_id(42, &mut id);
        assert_eq!(id, "user-000042");
    }

    #[test]
    fn posts_have_realistic_lengths_and_forms() {
        let mut random = random(1);
        let posts: Vec<String> = (0..500).map(|_| post_markdown(&mut random)).collect();
        let mut words: Vec<usize> = posts
            .iter()
            .map(|post| post.split_whitespace().count())
            .collect();
        words.sort_unstable();
        assert!(
            words[0] >= 40 && words[499] <= 8_000,
            "{} {}",
            words[0],
            words[499]
        );
        assert!((400..700).contains(&words[250]), "median {}", words[250]);
        assert!(words[475] > 2 * words[250], "a long tail: {}", words[475]);
        for form in ["\n## ", "\n- ", "\n> ", "```js\n", "](https://", "**"] {
            assert!(posts.iter().any(|post| post.contains(form)), "{form:?}");
        }
    }

    #[test]
    fn titles_are_short_and_begin_with_a_capital() {
        let mut random = random(2);
        for _ in 0..100 {
            let title = post_title(&mut random);
            assert!((3..=9).contains(&title.split(' ').count()), "{title}");
            assert!(
                title.starts_with(|c: char| c.is_ascii_uppercase()),
                "{title}"
            );
        }
    }

    #[test]
    fn media_has_realistic_sizes_and_a_true_beginning() {
        let mut random = random(3);
        let mut sizes: Vec<usize> = (0..400)
            .map(|_| media(MediaKind::Jpeg, &mut random).len())
            .collect();
        sizes.sort_unstable();
        assert!(sizes[0] >= 8 * 1024 && sizes[399] <= 1024 * 1024);
        assert!(
            (90_000..160_000).contains(&sizes[200]),
            "median {}",
            sizes[200]
        );
        assert!(media(MediaKind::Jpeg, &mut random).starts_with(b"\xFF\xD8\xFF\xE0"));
        assert!(media(MediaKind::Png, &mut random).starts_with(b"\x89PNG\r\n\x1A\n"));
        assert_eq!(MediaKind::of_content_type("image/PNG"), MediaKind::Png);
    }

    #[test]
    fn the_series_is_the_exponential() {
        for x in [-6.0_f64, -1.0, 0.0, 0.5, 3.0, 6.0] {
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-12, "{x}");
        }
    }
}
