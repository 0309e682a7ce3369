// A host on which wg-quick(8) finds no WireGuard in the kernel: an ip(8) that knows no such type stands before the real one, so that
// the kernel's own never takes a test over.
import type { Host } from "../../src/demo/lab.js";

const HIDE_KERNEL_WIREGUARD = `
ip=$(readlink -f "$(command -v ip)")
cp "$ip" /run/real-ip
printf '%s\\n' '#!/bin/sh' 'case "$*" in *"type wireguard"*) echo "Unknown device type." >&2; exit 2;; esac' \
  'exec /run/real-ip "$@"' >/run/ip
chmod 755 /run/ip
mount --bind /run/ip "$ip"
[ ! -e /sys/module/wireguard ] || mount -t tmpfs nothing /sys/module
`;

/** For the life of the host. */
export async function hideKernelWireguard(host: Host): Promise<void> {
  await host.run(["sh", "-c", HIDE_KERNEL_WIREGUARD]);
}
