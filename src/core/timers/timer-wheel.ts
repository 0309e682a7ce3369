// HOT PATH: a hierarchical timer wheel. Timers are integers below a capacity; arming, cancelling and firing cost O(1)
// and allocate nothing. Six levels of 32 slots; a slot of level l covers 32^l ticks, and what is in it moves to a
// finer level when its time begins, so a timer moves at most five times. A bitmap a level finds the next slot in use,
// so that a machine asleep for days wakes without walking the ticks between. Nothing fires before its deadline, and
// at most one tick after it. It must not know what a timer means. Source: Varghese and Lauck, SOSP 1987.

const LEVEL_BITS = 5;
const LEVEL_SLOTS = 32;
const LEVELS = 6;
/** Slots' lists, then the list of what is due at the next expire, then the list being fired. */
const DUE = LEVELS * LEVEL_SLOTS;
const FIRING = DUE + 1;
const LISTS = FIRING + 1;
/** Ticks that the wheel spans; what lies beyond waits in the last slot and is sorted again from there. */
const SPAN_TICKS = 2 ** (LEVELS * LEVEL_BITS);
const UNARMED = -1;
/** Ticks of one slot, by level. */
const slotTicks = Float64Array.from({ length: LEVELS }, (_, level) => 2 ** (level * LEVEL_BITS));

export interface TimerWheelOptions {
  /** Resolution, an integer, so that rounding in a division can never make a timer early; 4–16 suits WireGuard. */
  readonly tickMs: number;
  /** Timers are 0 ≤ id < capacity. */
  readonly capacity: number;
}

export class TimerWheel {
  readonly #tickMs: number;
  /** One cell: ticks passed. Every list of a slot lies after it. A typed cell, because a large field may be boxed. */
  readonly #tick = new Float64Array(1);
  /** Slots in use, one bit each, by level. */
  readonly #occupied = new Int32Array(LEVELS);
  /** Circular lists: cells below LISTS are list heads, cell LISTS + id is a timer. */
  #next: Int32Array<ArrayBuffer>;
  #previous: Int32Array<ArrayBuffer>;
  /** By id: the list that holds it, or UNARMED. */
  #list: Int32Array<ArrayBuffer>;
  #deadlines: Float64Array<ArrayBuffer>;
  #armed = 0;

  constructor(options: TimerWheelOptions) {
    this.#tickMs = options.tickMs;
    this.#next = Int32Array.from({ length: LISTS + options.capacity }, (_, cell) => cell);
    this.#previous = this.#next.slice();
    this.#list = new Int32Array(options.capacity).fill(UNARMED);
    this.#deadlines = new Float64Array(options.capacity);
  }

  /** Timers armed. */
  get size(): number {
    return this.#armed;
  }

  get capacity(): number {
    return this.#list.length;
  }

  /** Makes room for ids below `capacity`; never shrinks. Allocates. */
  // cold: peers are added
  grow(capacity: number): void {
    const had = this.#list.length;
    if (capacity <= had) return;
    this.#next = grown(this.#next, LISTS + capacity);
    this.#previous = grown(this.#previous, LISTS + capacity);
    this.#list = grown(this.#list, capacity);
    this.#list.fill(UNARMED, had);
    const deadlines = new Float64Array(capacity);
    deadlines.set(this.#deadlines);
    this.#deadlines = deadlines;
  }

  /** Arms the timer, or moves it if it is armed. A deadline already passed fires at the next {@link expire}. */
  arm(id: number, deadlineMs: number): void {
    this.#deadlines[id] = deadlineMs;
    const list = this.#listFor(deadlineMs);
    const had = this.#list[id];
    if (had === list) return;
    if (had === UNARMED) this.#armed++;
    else this.#unlink(id, had);
    this.#link(id, list);
  }

  /** Disarms the timer; nothing happens if it is not armed. */
  cancel(id: number): void {
    const list = this.#list[id];
    if (list === UNARMED) return;
    this.#unlink(id, list);
    this.#list[id] = UNARMED;
    this.#armed--;
  }

  isArmed(id: number): boolean {
    return this.#list[id] !== UNARMED;
  }

  /** @returns the deadline as armed, or Infinity when the timer is not armed. */
  deadlineMs(id: number): number {
    return this.#list[id] === UNARMED ? Number.POSITIVE_INFINITY : this.#deadlines[id];
  }

  /**
   * Disarms and fires every timer whose tick has come, in the order of their ticks, each at most once a call.
   * @param nowMs  the clock that the deadlines are of; a step back fires nothing
   * @param fire  may arm and cancel any timer, its own too; a deadline already passed waits for the next call
   * @param firedMax  timers to fire at most; the others wait for the next call, before all that come due until then
   * @returns timers fired.
   */
  expire(nowMs: number, fire: (id: number, nowMs: number) => void, firedMax = Number.POSITIVE_INFINITY): number {
    this.#advance(Math.floor(nowMs / this.#tickMs));
    let fired = 0;
    for (;;) {
      const id = this.#next[FIRING] - LISTS;
      if (id < 0 || fired === firedMax) return fired;
      this.cancel(id);
      fire(id, nowMs);
      fired++;
    }
  }

  /**
   * When to call {@link expire} next.
   * @returns a time at or before the tick of the earliest deadline (it may only sort timers then), or Infinity: no timer.
   */
  nextDeadlineMs(): number {
    if (this.#next[DUE] !== DUE || this.#next[FIRING] !== FIRING) return this.#tick[0] * this.#tickMs;
    return this.#nextSlotTick() * this.#tickMs;
  }

  /** Moves to `target`, gathering in the firing list, in order, what comes due on the way. */
  #advance(target: number): void {
    this.#moveAll(DUE);
    for (;;) {
      const at = this.#nextSlotTick();
      if (!(at <= target)) break;
      this.#tick[0] = at;
      // Slots of several levels may begin here, and a coarse one too may hold what is due at this very tick.
      const coarsest = alignedLevel(at);
      for (let level = 0; level <= coarsest; level++) this.#moveAll(slotList(level, at));
    }
    if (target > this.#tick[0]) this.#tick[0] = target;
  }

  /** Sorts a list's timers anew; those due now go to the firing list. */
  #moveAll(list: number): void {
    for (;;) {
      const id = this.#next[list] - LISTS;
      if (id < 0) return;
      this.#unlink(id, list);
      const to = this.#listFor(this.#deadlines[id]);
      this.#link(id, to === DUE ? FIRING : to);
    }
  }

  /** The list for a deadline, seen from the current tick. */
  #listFor(deadlineMs: number): number {
    const tick = this.#tick[0];
    let due = Math.ceil(deadlineMs / this.#tickMs);
    if (!(due > tick)) return DUE;
    if (due - tick >= SPAN_TICKS) due = tick + SPAN_TICKS - 1;
    const level = ((31 - Math.clz32(due - tick)) / LEVEL_BITS) | 0;
    return slotList(level, due);
  }

  /** First tick of the next slot in use, of any level; Infinity: none. */
  #nextSlotTick(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (let level = 0; level < LEVELS; level++) {
      const bits = this.#occupied[level];
      if (bits === 0) continue;
      // A level's timers lie 1 to 32 slots ahead of the slot that the current tick is in.
      const following = Math.floor(this.#tick[0] / slotTicks[level]) + 1;
      const turn = following & (LEVEL_SLOTS - 1);
      const ahead = (bits >>> turn) | (bits << -turn);
      const begins = (following + 31 - Math.clz32(ahead & -ahead)) * slotTicks[level];
      if (begins < earliest) earliest = begins;
    }
    return earliest;
  }

  #link(id: number, list: number): void {
    const cell = LISTS + id;
    const last = this.#previous[list];
    this.#next[last] = cell;
    this.#previous[cell] = last;
    this.#next[cell] = list;
    this.#previous[list] = cell;
    this.#list[id] = list;
    if (list < DUE) this.#occupied[list >>> LEVEL_BITS] |= 1 << (list & (LEVEL_SLOTS - 1));
  }

  #unlink(id: number, list: number): void {
    const cell = LISTS + id;
    const before = this.#previous[cell];
    const after = this.#next[cell];
    this.#next[before] = after;
    this.#previous[after] = before;
    // Neighbours alike: both are the list's head, which is now alone.
    if (before === after && list < DUE) this.#occupied[list >>> LEVEL_BITS] &= ~(1 << (list & (LEVEL_SLOTS - 1)));
  }
}

/** The list of the slot of a level that holds this tick. */
function slotList(level: number, tick: number): number {
  return level * LEVEL_SLOTS + ((tick / slotTicks[level]) & (LEVEL_SLOTS - 1));
}

/** The coarsest level with a slot that begins at this tick. */
function alignedLevel(tick: number): number {
  const low = tick & (SPAN_TICKS - 1);
  return low === 0 ? LEVELS - 1 : ((31 - Math.clz32(low & -low)) / LEVEL_BITS) | 0;
}

// cold: amortised growth
function grown(column: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(length);
  longer.set(column);
  return longer;
}
