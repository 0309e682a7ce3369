// Whole frames with their virtio header, as forwarding programs read and write them. Super-frames through real TCP are
// in the tests of the link emulator, which is made of this.
import { afterEach, describe, expect, test } from "vitest";
import { Errno, SystemCallError } from "../errors.js";
import { FRAME_BYTES_MAX, openTun, type Tun, TunStat } from "../tun.js";
import { canUseDevices, ip, until } from "./namespaces.js";

const VIRTIO_HEADER_BYTES = 10;
const open: Tun[] = [];

function tap(name: string): Tun {
  const made = openTun({ name, mode: "tap", vnetHeader: true });
  open.push(made);
  return made;
}

afterEach(() => {
  for (const made of open.splice(0)) made.close();
});

describe.runIf(canUseDevices)("whole frames", () => {
  test("come with their virtio header, and go back in two pieces", async () => {
    const device = tap("frame%d");
    expect(device.setFrameOffloads({ tso: true, uso: false })).toEqual({ tso: true, uso: false });
    expect(device.setFrameOffloads({ tso: false, uso: false })).toEqual({ tso: false, uso: false });
    expect(device.offloads).toEqual({ tso: false, uso: false });
    ip("link", "set", device.name, "up");
    const memory = new Uint8Array(100 + FRAME_BYTES_MAX);
    let bytes = 0;
    // The kernel's own neighbour discovery.
    await until("a frame", () => {
      bytes = device.readFrame(memory, 100);
      return bytes > 0;
    });
    const ethernet = memory.subarray(100 + VIRTIO_HEADER_BYTES, 100 + bytes);
    expect([...ethernet.subarray(12, 14)]).toEqual([0x86, 0xdd]);
    expect(device.stats[TunStat.ReadBytes]).toBe(bytes - VIRTIO_HEADER_BYTES);
    expect(memory.subarray(0, 100).every((byte) => byte === 0)).toBe(true);
    const head = memory.slice(100, 130);
    expect(device.writeFrame(head, 30, memory, 130, bytes - 30)).toBe(bytes);
    expect(device.stats[TunStat.Writes]).toBe(1);
    expect(device.stats[TunStat.WriteBytes]).toBe(bytes - VIRTIO_HEADER_BYTES);
  });

  test("are not read into too little memory, nor written from outside it", () => {
    const device = tap("frame%d");
    const memory = new Uint8Array(FRAME_BYTES_MAX);
    expect(device.readFrame(memory, 0)).toBe(-Errno.EAGAIN);
    expect(device.readFrame(memory, 1)).toBe(-Errno.ENOBUFS);
    expect(device.readFrame(memory, -1)).toBe(-Errno.EINVAL);
    expect(device.readFrame(memory, FRAME_BYTES_MAX + 1)).toBe(-Errno.EINVAL);
    expect(device.writeFrame(memory, 10, memory, FRAME_BYTES_MAX - 9, 10)).toBe(-Errno.EINVAL);
    expect(device.writeFrame(memory, FRAME_BYTES_MAX + 1, memory, 0, 10)).toBe(-Errno.EINVAL);
    expect(device.writeFrame(memory, 10, memory, 0, 60)).toBe(-Errno.EIO);
    expect(device.stats[TunStat.WriteFailures]).toBe(1);
    device.close();
    expect(device.readFrame(memory, 0)).toBe(-Errno.EBADF);
    expect(device.writeFrame(memory, 10, memory, 0, 60)).toBe(-Errno.EBADF);
  });

  test("super-frames are for a TAP with a virtio header", () => {
    const device = openTun();
    open.push(device);
    expect(() => device.setFrameOffloads({ tso: true, uso: true })).toThrow(SystemCallError);
  });
});
