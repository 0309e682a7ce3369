// HOT PATH: HalfSipHash-1-3 of one or two 32-bit words, for tables whose keys an attacker may choose. Enough against
// flooding a bucket, as in Linux's hash tables; never for anything that must not be forged.
// Source: Aumasson and Bernstein, "SipHash"; the 32-bit variant of their reference repository.

const ROUNDS_FINAL = 3;

/**
 * @param key0  first 32 bits of the secret  @param key1  last 32 bits
 * @param words  1 or 2: how many of `a` and `b` are hashed. One and two words never hash alike by construction
 * @returns int32.
 */
export function keyedHash(key0: number, key1: number, words: number, a: number, b: number): number {
  let v0 = key0 | 0;
  let v1 = key1 | 0;
  let v2 = key0 ^ 0x6c796765;
  let v3 = key1 ^ 0x74656462;
  const rounds = words + 1 + ROUNDS_FINAL;
  for (let round = 0; round < rounds; round++) {
    // Message words, then the length word (bytes in the top octet), then the finalisation rounds.
    const word = round === words ? words << 26 : round > words ? 0 : round === 0 ? a : b;
    if (round === words + 1) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}
