//! The first bytes of a text, which are compared at once.

use wide::u8x16;

/// How many bytes a vector has.
const LANE: usize = size_of::<u8x16>();
/// How many bytes there are.
const BYTES: usize = 2 * LANE;

/// What a text may begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// The bytes, and 0 where any may stand.
    bytes: [u8x16; 2],
    /// All ones in the bytes that are compared.
    compared: [u8x16; 2],
    /// Whether the second vector decides anything.
    long: bool,
}

impl Words {
    /// Nothing begins so, for no line has a line feed.
    pub(super) const NONE: Self =
        Self { bytes: [u8x16::new([b'\n'; LANE]); 2], compared: [u8x16::MAX; 2], long: true };

    /// A text, `None` if it is too long.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let (mut bytes, mut compared) = ([0; BYTES], [0; BYTES]);
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        compared.get_mut(..text.len())?.fill(u8::MAX);
        Some(Self { bytes: lanes(&bytes), compared: lanes(&compared), long: text.len() > LANE })
    }

    /// Whether a text whose first bytes are `near` begins so.
    #[inline]
    pub(super) fn begin(&self, near: &[u8; BYTES]) -> bool {
        let ([one, other], [first, second]) = (lanes(near), self.bytes);
        let [compared, more] = self.compared;
        // Most have no more than one vector, or do not begin so.
        whole((one & compared).simd_eq(first))
            && (!self.long || whole((other & more).simd_eq(second)))
    }
}

#[inline]
fn whole(right: u8x16) -> bool {
    right.to_bitmask() == (1 << LANE) - 1
}

#[inline]
fn lanes(bytes: &[u8; BYTES]) -> [u8x16; 2] {
    match bytes.as_chunks() {
        ([one, other], _) => [u8x16::new(*one), u8x16::new(*other)],
        _ => [u8x16::ZERO; 2],
    }
}
