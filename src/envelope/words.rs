//! The first bytes of a text, which are compared at once.

use wide::u8x16;

/// How many bytes a vector has.
const LANE: usize = size_of::<u8x16>();
/// How many bytes there are.
const BYTES: usize = 2 * LANE;

/// What a text may begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    bytes: [u8x16; 2],
    /// All ones in the bytes that may be any.
    any: [u8x16; 2],
}

impl Words {
    /// Nothing begins so, for no line has a line feed.
    pub(super) const NONE: Self =
        Self { bytes: [u8x16::new([b'\n'; LANE]); 2], any: [u8x16::ZERO; 2] };

    /// A text, `None` if it is too long.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let (mut bytes, mut any) = ([0; BYTES], [u8::MAX; BYTES]);
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        any.get_mut(..text.len())?.fill(0);
        Some(Self { bytes: lanes(&bytes), any: lanes(&any) })
    }

    /// Whether a text whose first bytes are `near` begins so.
    #[inline]
    pub(super) fn begin(&self, near: &[u8; BYTES]) -> bool {
        let ([one, other], [first, second]) = (lanes(near), self.bytes);
        let right = (one.simd_eq(first) | self.any[0]) & (other.simd_eq(second) | self.any[1]);
        right.to_bitmask() == (1 << LANE) - 1
    }
}

#[inline]
fn lanes(bytes: &[u8; BYTES]) -> [u8x16; 2] {
    match bytes.as_chunks() {
        ([one, other], _) => [u8x16::new(*one), u8x16::new(*other)],
        _ => [u8x16::ZERO; 2],
    }
}
