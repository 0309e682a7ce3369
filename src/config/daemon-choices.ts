// The values that some settings of the daemon choose from, on the command line, in the environment and in a file alike.

/** AEAD backends by name; `auto` takes the fastest that this machine has. */
export const aeadChoices = ["auto", "ipsec-mb", "openssl", "native"] as const;
export type AeadChoice = (typeof aeadChoices)[number];

/** `LOG_LEVEL` of wireguard-go knows verbose (the same as debug), debug, error and silent; info is ours. */
export const logLevels = ["debug", "info", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];
