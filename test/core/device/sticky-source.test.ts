import { expect, test } from "vitest";
import type { DeviceState } from "../../../src/core/device/device-state.js";
import type { Peer } from "../../../src/core/device/peer.js";
import { learnEndpoint, recheckSources } from "../../../src/core/device/sticky-source.js";
import { readEndpoint, writeEndpoint } from "../../../src/core/transport/endpoint-address.js";
import {
  ENDPOINT_BYTES,
  EndpointField,
  isRefusedSource,
  refusesSource,
  sourceInterface,
} from "../../../src/core/transport/endpoint-record.js";

const endpoint = { family: 4 as const, bytes: Uint8Array.of(192, 0, 2, 7), port: 51_820, scopeId: 0 };
const row = (id: number): number => id * ENDPOINT_BYTES;

/** A packet's record: from `endpoint`, to a local address that ends in `local`. */
function seen(ifindex: number, local = 1): Uint8Array {
  const record = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(record, 0, endpoint);
  new DataView(record.buffer).setUint32(EndpointField.SourceIfindex, ifindex, true);
  record.set([198, 51, 100, local], EndpointField.Source);
  return record;
}

/** A device with peers in the rows that are not undefined. @param allowed  interfaces that routes lead over */
function deviceWith(peers: readonly (object | undefined)[], allowed: Set<number>) {
  const endpoints = new Uint8Array(peers.length * ENDPOINT_BYTES);
  const asked: number[] = [];
  const canAnswerFrom = (record: number): boolean => {
    asked.push(record / ENDPOINT_BYTES);
    return allowed.has(sourceInterface(endpoints, record));
  };
  const state = { deps: { endpoints, canAnswerFrom }, peers } as unknown as DeviceState;
  const peer = (id: number): Peer => ({ id }) as Peer;
  return { endpoints, asked, state, peer };
}

const recheckAll = (state: DeviceState): number => [...recheckSources(state)].length;

test("a local address is taken where routes lead back over its interface", () => {
  const { endpoints, state, peer } = deviceWith([{}, {}], new Set([3]));
  learnEndpoint(state, peer(1), seen(3), 0);
  expect(endpoints.subarray(row(1))).toEqual(seen(3));
  expect(isRefusedSource(endpoints, row(1))).toBe(false);
});

test("where they lead elsewhere the remote one is taken, and the local one remembered as refused", () => {
  const { endpoints, state, peer } = deviceWith([{}, {}], new Set([4]));
  learnEndpoint(state, peer(1), seen(3), 0);
  expect(readEndpoint(endpoints, row(1))).toEqual(endpoint);
  expect(sourceInterface(endpoints, row(1))).toBe(0);
  expect(refusesSource(endpoints, row(1), seen(3), 0)).toBe(true);
  expect(refusesSource(endpoints, row(1), seen(3, 2), 0)).toBe(false);
});

test("a record without a local address asks nobody", () => {
  const { asked, state, peer } = deviceWith([{}], new Set());
  learnEndpoint(state, peer(0), seen(0), 0);
  expect(asked).toEqual([]);
});

test("after a change of routes each peer with a source is looked at, in a step of its own", () => {
  const allowed = new Set([3, 300_000]);
  const { endpoints, asked, state, peer } = deviceWith([{}, undefined, {}, {}], allowed);
  learnEndpoint(state, peer(0), seen(3), 0);
  learnEndpoint(state, peer(3), seen(300_000), 0);
  asked.length = 0;
  expect(recheckAll(state)).toBe(2);
  expect(asked).toEqual([0, 3]);
  expect([0, 3].map((id) => sourceInterface(endpoints, row(id)))).toEqual([3, 300_000]);
  allowed.delete(3);
  recheckAll(state);
  expect([0, 3].map((id) => sourceInterface(endpoints, row(id)))).toEqual([0, 300_000]);
  expect(isRefusedSource(endpoints, row(0))).toBe(true);
});

test("the next change lets what was refused be learned again", () => {
  const allowed = new Set<number>();
  const { endpoints, state, peer } = deviceWith([{}], allowed);
  learnEndpoint(state, peer(0), seen(3), 0);
  expect(isRefusedSource(endpoints, row(0))).toBe(true);
  recheckAll(state);
  expect(isRefusedSource(endpoints, row(0))).toBe(false);
  expect(readEndpoint(endpoints, row(0))).toEqual(endpoint);
  allowed.add(3);
  learnEndpoint(state, peer(0), seen(3), 0);
  expect(sourceInterface(endpoints, row(0))).toBe(3);
});
