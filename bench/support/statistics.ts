// Order statistics over samples; a missing sample is undefined and counts nowhere.

export type Sample = number | undefined;

/** @param fraction  0–1. @returns the sample at that rank, or undefined without samples. */
export function quantile(samples: readonly Sample[], fraction: number): Sample {
  const sorted = present(samples).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))];
}

/** @returns the middle sample, the mean of both middle ones for an even count; undefined without samples. */
export function median(samples: readonly Sample[]): Sample {
  const sorted = present(samples).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return undefined;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Element by element, over pairs that both exist and whose divisor is not 0. */
export function ratios(dividends: readonly Sample[], divisors: readonly Sample[]): number[] {
  return dividends.flatMap((dividend, i) => {
    const divisor = divisors[i];
    return dividend === undefined || divisor === undefined || divisor === 0 ? [] : [dividend / divisor];
  });
}

/** @returns least and greatest sample; undefined without samples. */
export function spread(samples: readonly Sample[]): readonly [number, number] | undefined {
  const known = present(samples);
  return known.length === 0 ? undefined : [Math.min(...known), Math.max(...known)];
}

function present(samples: readonly Sample[]): number[] {
  return samples.filter((sample) => sample !== undefined);
}
