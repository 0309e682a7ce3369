# Stands in for systemd where there is none: starts a program again and again, prints what it notifies as lines of JSON, and keeps the
# descriptors that it stores for the next run. A line "kill SIGNAL" on standard input ends a run; the end of input ends all.
#
# usage: fake-manager.py NOTIFY-SOCKET PROGRAM [ARGUMENT ...]
import array, json, os, select, signal, socket, sys

notify_path, argv = sys.argv[1], sys.argv[2:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(("\0" + notify_path[1:]) if notify_path[0] == "@" else notify_path)
stored = []  # (name, fd)


def say(**fields):
    print(json.dumps(fields), flush=True)


def start():
    pid = os.fork()
    if pid:
        say(started=pid, given=[name for name, _ in stored])
        return pid
    # Out of the way first: a descriptor may have the number that another one is to get.
    high = [os.dup2(fd, 100 + i, inheritable=True) for i, (_, fd) in enumerate(stored)]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i, inheritable=True)
        os.close(fd)
    env = dict(os.environ, NOTIFY_SOCKET=notify_path, WATCHDOG_USEC="600000", WATCHDOG_PID=str(os.getpid()))
    if stored:
        names = ":".join(name for name, _ in stored)
        env.update(LISTEN_FDS=str(len(stored)), LISTEN_FDNAMES=names, LISTEN_PID=str(os.getpid()))
    devnull = os.open("/dev/null", os.O_RDWR)
    os.dup2(devnull, 0)
    os.dup2(2, 1)
    os.execve(argv[0], argv, env)


def receive():
    text, ancillary, _, _ = listener.recvmsg(65536, socket.CMSG_SPACE(4 * 64))
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % 4])
    message = dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)
    say(message=message, fds=len(fds))
    name = message.get("FDNAME", "stored")
    if "FDSTORE" in message:
        stored.extend((name, fd) for fd in fds)
    if "FDSTOREREMOVE" in message:
        for entry in [entry for entry in stored if entry[0] == name]:
            os.close(entry[1])
            stored.remove(entry)


def main():
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    pid = start()
    commands = sys.stdin
    while True:
        ready, _, _ = select.select([listener, commands, woken], [], [])
        if listener in ready:
            receive()
        if commands in ready:
            line = commands.readline()
            if line == "":
                os.kill(pid, signal.SIGKILL)
                return
            os.kill(pid, getattr(signal, line.split()[1]))
        if woken in ready:
            os.read(woken, 512)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                say(ended=pid, status=status)
                while select.select([listener], [], [], 0)[0]:
                    receive()
                pid = start()


main()
