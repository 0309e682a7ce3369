// The links that the lab measures on. `forward` carries the bulk load.
import { type LinkSetting, linkSetting } from "./setting.js";

export interface Scenario {
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Of a small packet on the idle link, on average. */
  readonly rttMs: number;
  readonly link: LinkSetting;
}

export const scenarioNames = ["office", "ocean", "dsl", "lte", "impaired"] as const;
export type ScenarioName = (typeof scenarioNames)[number];

const links: Readonly<Record<ScenarioName, { readonly title: string; readonly link: LinkSetting }>> = {
  office: {
    title: "two offices on one continent: 1 Gbit/s, 80 ms, queue 50 ms",
    link: linkSetting({ rateMbps: 1_000, delayMs: 40, queueMs: 50 }),
  },
  ocean: {
    title: "across an ocean: 1 Gbit/s, 200 ms, queue 50 ms",
    link: linkSetting({ rateMbps: 1_000, delayMs: 100, queueMs: 50 }),
  },
  dsl: {
    title: "a DSL line, downwards: 100 Mbit/s, 20 Mbit/s back, 30 ms, queue 50 ms",
    link: linkSetting({ rateMbps: 100, delayMs: 15, queueMs: 50 }, { rateMbps: 20 }),
  },
  lte: {
    title: "LTE: 50 Mbit/s, 60 ± 20 ms, 0.1 % loss each way, queue 100 ms",
    link: linkSetting({ rateMbps: 50, delayMs: 30, jitterMs: 10, queueMs: 100, lossPercent: 0.1 }),
  },
  impaired: {
    title: "a bad line: 1 Gbit/s, 2 ± 2 ms, 0.25 % loss and 0.5 % reordered each way, queue 50 ms",
    link: linkSetting({
      ...{ rateMbps: 1_000, delayMs: 2, jitterMs: 2, queueMs: 50 },
      ...{ lossPercent: 0.25, reorderPercent: 0.5, reorderMs: 2 },
    }),
  },
};

export function scenario(name: ScenarioName): Scenario {
  const { title, link } = links[name];
  return { name, title, link, rttMs: link.forward.delayMs + link.backward.delayMs };
}
