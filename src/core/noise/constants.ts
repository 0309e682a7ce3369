// Every wire size, offset and constant of the protocol, with its section of the WireGuard paper [W].
// It must not hold behaviour.

/** [W] 5.4: the first byte of a message; the three reserved bytes behind it are zero, so it reads as a u32 LE. */
export const MessageType = {
  Initiation: 1,
  Response: 2,
  CookieReply: 3,
  Data: 4,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

// Primitives, [W] 5.4.
export const KEY_BYTES = 32;
export const HASH_BYTES = 32;
export const AEAD_TAG_BYTES = 16;
export const MAC_BYTES = 16;
export const COOKIE_BYTES = 16;
export const XNONCE_BYTES = 24;
export const TIMESTAMP_BYTES = 12;

/** [W] 5.4: hashed into the first chaining key. */
export const CONSTRUCTION = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
/** [W] 5.4: the Noise prologue. */
export const IDENTIFIER = "WireGuard v1 zx2c4 Jason@zx2c4.com";
/** [W] 5.4.4: prefix of the static key in the mac1 key. */
export const LABEL_MAC1 = "mac1----";
/** [W] 5.4.7: prefix of the static key in the cookie key. */
export const LABEL_COOKIE = "cookie--";

// Layout common to the handshake messages, [W] 5.4.2, 5.4.3.
export const TYPE_OFFSET = 0;
export const SENDER_INDEX_OFFSET = 4;

// [W] 5.4.2, initiation: type, sender index, ephemeral, {static}, {timestamp}, mac1, mac2.
export const INITIATION_BYTES = 148;
export const INITIATION_NOISE_OFFSET = 8;
export const INITIATION_NOISE_BYTES = KEY_BYTES + KEY_BYTES + AEAD_TAG_BYTES + TIMESTAMP_BYTES + AEAD_TAG_BYTES;

// [W] 5.4.3, response: type, sender index, receiver index, ephemeral, {}, mac1, mac2.
export const RESPONSE_BYTES = 92;
export const RESPONSE_RECEIVER_INDEX_OFFSET = 8;
export const RESPONSE_NOISE_OFFSET = 12;
export const RESPONSE_NOISE_BYTES = KEY_BYTES + AEAD_TAG_BYTES;

// [W] 5.4.4: both macs stand at the end of an initiation or response.
export const MAC1_FROM_END = 2 * MAC_BYTES;
export const MAC2_FROM_END = MAC_BYTES;

// [W] 5.4.7, cookie reply: type, receiver index, nonce, {cookie}.
export const COOKIE_REPLY_BYTES = 64;
export const COOKIE_REPLY_RECEIVER_INDEX_OFFSET = 4;
export const COOKIE_REPLY_NONCE_OFFSET = 8;
export const COOKIE_REPLY_COOKIE_OFFSET = 32;

// [W] 5.4.6, transport data: type, receiver index, counter, {packet}.
export const DATA_HEADER_BYTES = 16;
export const DATA_RECEIVER_INDEX_OFFSET = 4;
export const DATA_COUNTER_OFFSET = 8;
export const DATA_MIN_BYTES = DATA_HEADER_BYTES + AEAD_TAG_BYTES;

// [W] 6.1, timers.
export const REKEY_AFTER_TIME_MS = 120_000;
export const REJECT_AFTER_TIME_MS = 180_000;
export const REKEY_ATTEMPT_TIME_MS = 90_000;
export const REKEY_TIMEOUT_MS = 5_000;
export const KEEPALIVE_TIMEOUT_MS = 10_000;
/** [W] 6.1: added to REKEY_TIMEOUT so that two peers do not collide for ever; a third of a second, as the kernel. */
export const REKEY_TIMEOUT_JITTER_MS_MAX = 334;

/**
 * [W] 6.1 says 2^64 − 2^13 − 1. Counters here are JavaScript numbers, exact to 2^53 − 1: at 2^53 messages in
 * REJECT_AFTER_TIME a link would carry 5·10^13 packets a second, so the lower limit refuses nothing real.
 */
export const REJECT_AFTER_MESSAGES = 2 ** 53 - 1;
/** [W] 6.1 says 2^60; it has to stay below our REJECT_AFTER_MESSAGES, or the rekey would come after the end. */
export const REKEY_AFTER_MESSAGES = 2 ** 52;

/** [W] 5.1, as the kernel's INITIATIONS_PER_SECOND: more initiations than this from one peer are a flood. */
export const MAX_HANDSHAKES_PER_SECOND = 50;
export const HANDSHAKE_INITIATION_RATE_MS = 1_000 / MAX_HANDSHAKES_PER_SECOND;

/** [W] 5.4.7: the cookie secret changes this often. */
export const COOKIE_SECRET_MAX_AGE_MS = 120_000;
/** [W] 5.4.4: a cookie older than this is not used for mac2. */
export const COOKIE_MAX_AGE_MS = 120_000;
