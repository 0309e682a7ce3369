// What one direction of an emulated link does to packets.

/** Losses in bursts (Gilbert–Elliott): a packet may move the link into its bad state and out of it again. */
export interface BurstLoss {
  /** Probability, per packet in the good state, to enter the bad one. */
  readonly enterPercent: number;
  /** Probability, per packet in the bad state, to leave it. */
  readonly leavePercent: number;
  /** Loss in the bad state; in the good state it is lossPercent. */
  readonly lossPercent: number;
}

export interface DirectionSetting {
  /** Of whole Ethernet frames without preamble and checksum. Infinity: no queue ever forms. */
  readonly rateMbps: number;
  /** One way. */
  readonly delayMs: number;
  /** The delay wanders evenly over delayMs ± jitterMs, slowly enough that packets stay in order. At most delayMs. */
  readonly jitterMs: number;
  /** A packet that would wait longer for the line is dropped. */
  readonly queueMs: number;
  readonly lossPercent: number;
  readonly burstLoss: BurstLoss | undefined;
  /** Packets that arrive reorderMs later than they should, overtaken by those behind them. */
  readonly reorderPercent: number;
  readonly reorderMs: number;
  readonly duplicatePercent: number;
  /** Packets with one bit flipped. */
  readonly corruptPercent: number;
  /** Longest IP packet that passes; longer ones vanish without a word. */
  readonly mtu: number;
}

export const PERFECT: DirectionSetting = {
  rateMbps: Number.POSITIVE_INFINITY,
  delayMs: 0,
  jitterMs: 0,
  queueMs: 50,
  lossPercent: 0,
  burstLoss: undefined,
  reorderPercent: 0,
  reorderMs: 0,
  duplicatePercent: 0,
  corruptPercent: 0,
  mtu: 65_535,
};

/** Both directions; `forward` is left to right, the way of a bulk load. */
export interface LinkSetting {
  readonly forward: DirectionSetting;
  readonly backward: DirectionSetting;
}

/** A link that is the same both ways, but for `backward`. */
export function linkSetting(both: Partial<DirectionSetting>, backward: Partial<DirectionSetting> = {}): LinkSetting {
  const forward = { ...PERFECT, ...both };
  return { forward: checked(forward), backward: checked({ ...forward, ...backward }) };
}

/** Errors: RangeError for what cannot be emulated. */
function checked(setting: DirectionSetting): DirectionSetting {
  const { rateMbps, delayMs, jitterMs, queueMs, reorderPercent, reorderMs, burstLoss, mtu } = setting;
  const percents = [setting.lossPercent, reorderPercent, setting.duplicatePercent, setting.corruptPercent];
  if (burstLoss !== undefined) percents.push(burstLoss.enterPercent, burstLoss.leavePercent, burstLoss.lossPercent);
  if (percents.some((percent) => !(percent >= 0 && percent <= 100))) throw new RangeError("a percentage is 0 to 100");
  if (!(rateMbps > 0)) throw new RangeError("the rate is above 0 Mbit/s");
  if (!(delayMs >= 0 && delayMs < 10_000)) throw new RangeError("the delay is 0 to 10,000 ms");
  if (!(jitterMs >= 0 && jitterMs <= delayMs)) throw new RangeError("the jitter is at most the delay");
  if (!(queueMs >= 0 && queueMs < 10_000)) throw new RangeError("the queue is 0 to 10,000 ms");
  if (!(reorderMs >= 0 && reorderMs < 10_000)) throw new RangeError("reordering is by 0 to 10,000 ms");
  if (reorderPercent > 0 && reorderMs === 0) throw new RangeError("reordering needs reorderMs");
  if (!(mtu >= 68)) throw new RangeError("the MTU is at least 68");
  return setting;
}

/** As JSON: Infinity has no form there. */
export function settingToJson(setting: LinkSetting): string {
  return JSON.stringify(setting, (_, value: unknown) => (value === Number.POSITIVE_INFINITY ? "unlimited" : value));
}

/** Errors: RangeError, SyntaxError. */
export function settingFromJson(text: string): LinkSetting {
  const { forward, backward } = JSON.parse(text, (_, value: unknown) =>
    value === "unlimited" ? Number.POSITIVE_INFINITY : value,
  ) as LinkSetting;
  return { forward: checked({ ...PERFECT, ...forward }), backward: checked({ ...PERFECT, ...backward }) };
}
