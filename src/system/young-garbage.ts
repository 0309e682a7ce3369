// V8's young generation, collected by order. What survives a collection is copied, and packets wait for that: while thousands of peers
// are added nearly all survives, so the pauses would be as long as the generation is large, and come when it is full. Ordered after
// every slice of such work, each has a slice's objects to copy. Source: V8's gc extension, which `--expose-gc` makes known.

type Collect = (options: { readonly type: "minor" }) => void;

/** Collects the young generation, half a millisecond or so; does nothing in a process that was started without `--expose-gc`. */
export function collectYoung(): void {
  (globalThis as { gc?: Collect }).gc?.({ type: "minor" });
}
