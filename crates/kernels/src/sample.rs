//! Pseudorandom numbers that are the same in each run, for tests.

/// The modulus; all numbers are below this prime.
pub const LIMIT: u64 = 0x7fff_ffff;

/// The multiplicative congruential generator of Park and Miller (1988).
pub fn numbers() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(20_231), |state| Some(state * 48_271 % LIMIT)).skip(1)
}
