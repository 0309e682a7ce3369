// Endpoint records (endpoint-record.ts) from and to the EndpointAddress of a configuration. Control plane only.

import type { EndpointAddress } from "../device/update.js";
import { clear, EndpointField, FAMILY_IPV4, FAMILY_IPV6, familyOf } from "./endpoint-record.js";

/** Overwrites the record with this remote and no sticky source. */
export function writeEndpoint(record: Uint8Array, offset: number, endpoint: EndpointAddress): void {
  clear(record, offset);
  record[offset + EndpointField.Family] = endpoint.family === 4 ? FAMILY_IPV4 : FAMILY_IPV6;
  record[offset + EndpointField.Port] = endpoint.port >>> 8;
  record[offset + EndpointField.Port + 1] = endpoint.port & 0xff;
  for (let i = 0; i < 4; i++) record[offset + EndpointField.ScopeId + i] = (endpoint.scopeId >>> (8 * i)) & 0xff;
  record.set(endpoint.bytes.subarray(0, endpoint.family === 4 ? 4 : 16), offset + EndpointField.Address);
}

/** @returns the record's remote, or undefined when it is unset or of no known family. */
export function readEndpoint(record: Uint8Array, offset: number): EndpointAddress | undefined {
  const family = familyOf(record, offset);
  if (family !== FAMILY_IPV4 && family !== FAMILY_IPV6) return undefined;
  const at = offset + EndpointField.Address;
  let scopeId = 0;
  for (let i = 3; i >= 0; i--) scopeId = scopeId * 256 + record[offset + EndpointField.ScopeId + i];
  return {
    family: family === FAMILY_IPV4 ? 4 : 6,
    bytes: record.slice(at, at + (family === FAMILY_IPV4 ? 4 : 16)),
    port: record[offset + EndpointField.Port] * 256 + record[offset + EndpointField.Port + 1],
    scopeId,
  };
}
