// The lab's last line of defence: a small shell program that outlives this process and kills everything in the lab's
// network namespaces when we die in whatever way, kill -9 included. Namespaces live only as long as their processes.
import { type ChildProcess, spawn } from "node:child_process";

// Reads "hold INODE PID", "keep" and "release". End of input means that the lab's owner is gone.
// Members of a namespace are found by its inode, whose number the kernel gives to the next namespace as soon as this one
// is gone. So its holder, which keeps it alive, goes last, and without the holder nobody is touched.
const PROGRAM = `
holders=""
namespaces() {
  stat -Lc '%i %n' /proc/[0-9]*/ns/net 2>/dev/null
}
held() {
  for pair in $holders; do
    [ "$(stat -Lc %i /proc/\${pair#*:}/ns/net 2>/dev/null)" = "\${pair%:*}" ] && echo "$pair"
  done
}
members() {
  pairs=" "
  for pair in $(held); do pairs="$pairs$pair "; done
  namespaces | while read -r inode path; do
    pid=\${path#/proc/} pid=\${pid%%/*}
    case $pairs in
      *" $inode:$pid "*) ;;
      *" $inode:"*) echo "$pid";;
    esac
  done
}
down() {
  trap '' TERM INT HUP
  pids=$(members)
  [ -n "$pids" ] && kill -TERM $pids 2>/dev/null && sleep 1
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(members)
    [ -n "$pids" ] || break
    kill -KILL $pids 2>/dev/null
    sleep 0.1
  done
  for pair in $(held); do kill -KILL "\${pair#*:}" 2>/dev/null; done
  exit
}
trap down TERM INT HUP
while read -r verb inode pid; do
  case $verb in
    hold) holders="$holders $inode:$pid";;
    keep) exec </dev/null; while :; do sleep 3600 & napping=$!; trap 'kill $napping; down' TERM INT HUP; wait $napping; done;;
    release) exit 0;;
  esac
done
down
`;

/** Kills what is left of a lab when its owner is gone; ends quietly once released. */
export class Guard {
  readonly #shell: ChildProcess;

  constructor() {
    this.#shell = spawn("sh", ["-c", PROGRAM, "longhaul-lab-guard"], {
      detached: true,
      cwd: "/",
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#shell.stdin!.on("error", () => {}); // it was killed; close() still does the orderly work
    this.#shell.unref();
    (this.#shell.stdin as unknown as { unref(): void }).unref();
  }

  /** Sending it SIGTERM takes the lab down. */
  get pid(): number {
    return this.#shell.pid!;
  }

  /** Takes a namespace into its care. @param holder  pid of the process that keeps it alive */
  hold(inode: number, holder: number): void {
    this.#tell(`hold ${inode} ${holder}`);
  }

  /** The lab stays after this process has gone, until the guard gets SIGTERM. */
  keep(): Promise<void> {
    return new Promise((resolve) => this.#shell.stdin!.end("keep\n", resolve));
  }

  /** Everything was taken down in order: nothing is left to guard. */
  release(): void {
    this.#tell("release");
    this.#shell.stdin!.end();
  }

  #tell(line: string): void {
    this.#shell.stdin!.write(`${line}\n`);
  }
}
