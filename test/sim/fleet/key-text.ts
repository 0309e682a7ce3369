// Keys as text, for tables: the hex that the core uses, made fast.

export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("hex");
}
