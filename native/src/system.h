// Clocks and process settings.
#pragma once

#include <cstdint>

#include "syscall_error.h"

namespace tuntap {

/// Cells of a clock reading, milliseconds with a fraction.
enum ClockCell : int { kClockBoot = 0, kClockReal = 1, kClockMonotonic = 2, kClockCells = 3 };

/// @param cells  kClockCells doubles. Allocates nothing; no system call where the kernel offers a vDSO.
void ReadClock(double* cells);

/// CLOCK_BOOTTIME: goes on while the machine sleeps.
uint64_t BootTimeMs();

/// No core dump, no ptrace by others: memory holds keys. Source: prctl(2), PR_SET_DUMPABLE.
Outcome DisableDumps();

/// Without exit handlers and without Node's teardown. Source: _exit(2).
[[noreturn]] void EndProcess(int status);

/// Moves the calling thread; what it opens later belongs there, what it has open stays where it is.
/// @param path  of a namespace file; empty: a new namespace. Source: setns(2), unshare(2).
Outcome EnterNetworkNamespace(const char* path);

}  // namespace tuntap
