// longhaul --help and --version.

import { readFileSync } from "node:fs";
import { release } from "node:os";

export const helpText = `longhaul: a userspace WireGuard daemon

Usage:
  longhaul up NAME             bring an interface up as its file says: /etc/longhaul/NAME.conf,
                               /etc/wireguard/NAME.conf, or any NAME.conf given by its path
  longhaul reload NAME         apply what has changed in the file, and disturb nobody else
  longhaul down NAME           take it down again
  longhaul run NAME            what up does, in the foreground, for a service manager; SIGHUP reloads
  longhaul save NAME           write what runs into its file; comments, hooks and the like stay as they are
  longhaul strip NAME          print what wg setconf takes of a file
  longhaul show [NAME|all]     how every interface and peer is, and where the packets went; as wg(8), show
                               interfaces prints their names
  longhaul why [NAME] PEER     why a peer is silent or slow, and what to do; PEER is its name, the beginning of
                               its key, an address behind it, or all
  longhaul bench PEER          what the link to a peer can do, what limits it and the command that raises it;
                               on the peer, before: longhaul bench --serve
  longhaul [options] IFNAME    create the interface, go to the background when it is ready
  longhaul genkey              print a new private key
  longhaul genpsk              print a new preshared key
  longhaul pubkey              read a private key from stdin, print its public key
  longhaul --version           print the version
  longhaul --help              print this

Options:
  -f, --foreground             stay in the foreground
  -n, --dry-run                up, down, reload, save: print what would be done, and do nothing
      --json                   up, down, reload, save, show, why, bench: print the outcome as JSON
      --watch, --interval N    show: again every N seconds (2), until Ctrl-C
      --wait N                 why: seconds between the two looks at the counters (2)
      --interface NAME         bench: the tunnel, where there are several
      --seconds N, --streams N bench: length of a load (5), streams beside one (8)
      --underlay               bench, on both ends: TCP outside the tunnel too; iperf3 then listens there
      --aead NAME              how to seal packets: auto (default), ipsec-mb, openssl or native
      --log-level LEVEL        verbose, debug, info (run's default), error (others') or silent
      --metrics ADDRESS        where metrics and the status page are: 127.0.0.1:9586 (default of up and run),
                               another ADDRESS:PORT, unix:/PATH or off (default of IFNAME)

Environment, as wireguard-go has it:
  LOG_LEVEL                    the same as --log-level
  WG_PROCESS_FOREGROUND=1      the same as --foreground
  WG_TUN_FD, WG_UAPI_FD        open descriptors to use instead of creating the interface or the socket file

The interface is configured with wg(8) or wg-quick(8), through /var/run/wireguard/IFNAME.sock.
It goes away with the daemon: on SIGTERM, on SIGINT, or when its socket file or the interface is deleted.

Exit status: 0 done, 1 failed, 2 bad use of this command line, 3 done but something is amiss (show: an interface
is not ready or a peer does not answer; why: a cause was found), 4 not running.

Examples:
  longhaul up ./site.conf && longhaul reload site && longhaul down site
  longhaul genkey | tee private.key | longhaul pubkey
  longhaul wg0 && wg setconf wg0 wg0.conf
  WG_QUICK_USERSPACE_IMPLEMENTATION=longhaul wg-quick up ./site.conf
  longhaul --foreground --log-level debug wg0
`;

/** @returns one line with the version, one with what it runs on. */
export function versionText(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  return `longhaul ${version}\nNode.js ${process.versions.node}, Linux ${release()}, ${process.arch}\n`;
}
