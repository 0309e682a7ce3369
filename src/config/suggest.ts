// "Did you mean": the name that a mistyped word is probably meant for.

const SHARE_MAX = 1 / 3;
const CONTAINED_LENGTH_MIN = 3;
const WORD_LENGTH_MAX = 64;

/**
 * @param names  candidates, the more likely ones first
 * @returns the nearest by edit distance, at most a third of the word away; else the only one that contains the word, or is
 *   contained in it. Throws nothing.
 */
export function suggest<T extends string>(word: string, names: readonly T[]): T | undefined {
  if (word.length > WORD_LENGTH_MAX) return undefined;
  const lower = word.toLowerCase();
  let nearest: T | undefined;
  let least = Math.floor(lower.length * SHARE_MAX) + 1;
  for (const name of names) {
    const distance = editDistance(name.toLowerCase(), lower);
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  if (nearest !== undefined || lower.length < CONTAINED_LENGTH_MIN) return nearest;
  const related = names.filter((name) => name.toLowerCase().includes(lower) || lower.includes(name.toLowerCase()));
  return related.length === 1 ? related[0] : undefined;
}

/** Levenshtein distance, where two neighbours that changed places are one slip: the commonest one of a fast hand. */
export function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const current = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = previous[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1);
      current[j] = Math.min(previous[j] + 1, current[j - 1] + 1, substitution);
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (isSwap) current[j] = Math.min(current[j], beforePrevious[j - 2] + 1);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[to.length];
}
