// Which congestion control TCP begins with. iperf3's own option comes when the connection stands, and where the machine's
// default is BBR that is too late: the socket goes on pacing, whatever controls it from then on (Linux' sk_pacing_status).
import type { Host } from "../../src/demo/lab.js";

/** Two hosts, and how the left one reaches the right one. */
export interface Way {
  readonly left: Host;
  readonly right: Host;
  /** Interface, the same name at both ends. */
  readonly device: string;
  /** Address of the right host. */
  readonly target: string;
}

/**
 * Connections between these two addresses that begin from now on, at either end, begin with `name`. A route of their own
 * says so (ip-route(8), congctl). Errors: CommandError when the kernel has none of that name.
 */
export async function setCongestionControl({ left, right, device, target }: Way, name: string): Promise<void> {
  const [route] = JSON.parse(await left.run(["ip", "-json", "route", "get", target])) as Array<{ prefsrc: string }>;
  await left.ip(`route replace ${target} dev ${device} src ${route!.prefsrc} congctl ${name}`);
  await right.ip(`route replace ${route!.prefsrc} dev ${device} src ${target} congctl ${name}`);
}

/** Of iperf3's report, the end. Errors: throws when it was another that sent. */
export function checkCongestionControl(end: { readonly sender_tcp_congestion?: string }, name: string): void {
  const seen = end.sender_tcp_congestion;
  if (seen !== name)
    throw new Error(`TCP was sent under ${seen ?? "no congestion control that iperf3 tells"}, not ${name}`);
}
