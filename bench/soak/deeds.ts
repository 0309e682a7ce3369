// What happens to the gateways while they are soaked: all that an admin and a network do to them in a week, in an hour.
import { ping } from "../../test/support/traffic.js";
import { control } from "./samples.js";
import { HUB_ADDRESS, type SoakSite } from "./site.js";

/** Done again and again. */
export interface Deed {
  readonly name: string;
  readonly everyS: number;
  /** Errors: throws when it did not do what it is for. */
  act(round: number): Promise<void>;
}

export function deeds(site: SoakSite): readonly Deed[] {
  const { hub, spokes } = site;
  return [
    {
      name: "A's address changes",
      everyS: 40,
      act: async (round) => {
        const [old, next] = round % 2 === 0 ? ["192.0.2.2/24", "192.0.2.9/24"] : ["192.0.2.9/24", "192.0.2.2/24"];
        await spokes.a.host.ip(`address del ${old} dev eth0`, `address add ${next} dev eth0`);
      },
    },
    {
      name: "B's port changes",
      everyS: 50,
      act: (round) => spokes.b.set("listen-port", String(51_820 + ((round + 1) % 2))),
    },
    {
      name: "C is a new peer, and the hub reloads",
      everyS: 30,
      act: async (round) => {
        await site.renameC();
        await site.writeFile(25 - (round % 2));
        await control(hub, "POST", "/reload");
        const answered = await ping(spokes.c.host, HUB_ADDRESS, { count: 3, intervalS: 0.2, waitS: 5 });
        if (answered === 0) throw new Error("the new peer got no answer");
      },
    },
    {
      name: "wg show",
      everyS: 10,
      act: async () => {
        const lines = (await hub.run(["wg", "show", "wg0", "dump"])).trim().split("\n");
        if (lines.length !== 4) throw new Error(`wg show has ${lines.length - 1} peers instead of 3`);
      },
    },
    {
      name: "everybody is scraped",
      everyS: 1,
      act: async () => {
        for (const { host } of site.daemons) await control(host, "GET", "/metrics");
      },
    },
    {
      name: "status is read",
      everyS: 10,
      act: async () => void JSON.parse(await control(hub, "GET", "/status.json")),
    },
  ];
}
