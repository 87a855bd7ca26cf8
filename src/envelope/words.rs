//! The first bytes of a text as a few numbers, which are compared faster than a text.

/// How many bytes there are.
const BYTES: usize = 4 * size_of::<u64>();

/// The first byte of each number is the lowest.
pub(super) type Words = [u64; 4];

/// The first bytes of a text; `None` if it is shorter.
#[inline]
pub(super) fn first(text: &[u8]) -> Option<Words> {
    text.first_chunk().map(of)
}

#[inline]
fn of(bytes: &[u8; BYTES]) -> Words {
    match bytes.as_chunks() {
        ([a, b, c, d], _) => [*a, *b, *c, *d].map(u64::from_le_bytes),
        _ => Words::default(),
    }
}

/// A text, and all ones where it has bytes; `None` if it is longer.
#[inline]
pub(super) fn masked(text: &[u8]) -> Option<(Words, Words)> {
    if text.len() > BYTES {
        return None;
    }
    let (mut bytes, mut whole) = ([0; BYTES], [0; BYTES]);
    bytes.get_mut(..text.len())?.copy_from_slice(text);
    whole.get_mut(..text.len())?.fill(u8::MAX);
    Some((of(&bytes), of(&whole)))
}

/// Whether the two are not the same in the bytes that `whole` has.
#[inline]
pub(super) fn differ(one: &Words, other: &Words, whole: &Words) -> bool {
    let in_word = |at: usize| match (one.get(at), other.get(at), whole.get(at)) {
        (Some(one), Some(other), Some(whole)) => (one ^ other) & whole,
        _ => 0,
    };
    // The second word tells most texts apart.
    in_word(1) != 0 || in_word(0) | in_word(2) | in_word(3) != 0
}
