// Waiting for descriptors in place of libuv, which would make its rounds, and garbage, for every packet.
// Every Poller of a thread shares one PollHub, and with it one wait. It must not know what the bits stand for.
//
// Just before libuv would wait, the hub waits itself: for its own descriptors and for libuv's epoll descriptor. While
// only its own are ready it calls JavaScript and waits again; when libuv has work or a timer is due, it lets libuv run.
// An idle handle keeps libuv from waiting too. A round of libuv costs two system calls and 56 bytes of heap.
// What JavaScript left for process.nextTick() or a promise runs when a round ends, 10 ms later at the most.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "poll_set.h"
#include "system.h"

namespace tuntap {

class PollHub;

/// Cells of the absences: times between a look at the descriptors and the next wait for them.
enum AbsenceCell : int {
  kAbsenceCount = 0,
  kAbsenceMsSum,
  kAbsenceMsMax,
  kAbsenceQueuedMs,  // how long what was found ready last can have been so: since the look before, 0 if it ended a sleep
  kAbsenceCells,
};
constexpr int kAbsenceBoundsMax = 16;

/// Where absences are noted. Everything but the bounds is borrowed; cells is nullptr: nowhere.
struct AbsenceWatch {
  double* cells;
  double* histogram;  // boundCount + 1
  double boundsMs[kAbsenceBoundsMax];
  int boundCount;
};

/// One callback with its descriptors and its timer.
class Poller {
 public:
  Poller(PollHub& hub, uint32_t index) : hub_(hub), index_(index) {}

  Outcome Add(int fd, uint32_t bit);
  Outcome Remove(int fd);
  /// Arms the timer for the deadline that stands in the timer cell; 0 there disarms. The cell turns 0 when it fires.
  Outcome ArmTimer();
  void Close();

 private:
  friend class PollHub;

  PollHub& hub_;
  const uint32_t index_;
  std::unique_ptr<PollTimer> timer_;
  double* clock_ = nullptr;      // kClockCells doubles in JavaScript memory
  double* timerCell_ = nullptr;  // one
  napi_ref onReady_ = nullptr;
  napi_ref clockMemory_ = nullptr;
  napi_ref timerMemory_ = nullptr;
  uint32_t ready_ = 0;
  bool open_ = false;
};

/// The pollers of one environment. Frees itself when the environment ends.
class PollHub {
 public:
  static Outcome Open(napi_env env, PollHub** out);

  /// @param clock, timerCell  Float64Array, kept alive until Close. @return the poller's handle, never given out twice.
  Outcome AddPoller(napi_value onReady, napi_value clock, double* clockCells, napi_value timer, double* timerCell);
  /// @return borrowed; nullptr if closed or never given out.
  Poller* Get(int32_t handle) const;
  /// Notes from now on how long the descriptors were not looked at, in memory of JavaScript.
  /// @param cells  kAbsenceCells, @param histogram  one more than the bounds: both kept alive by the caller's references.
  void WatchAbsences(AbsenceWatch watch) { absences_ = watch; }
  /// Before it waits after a call, look again for so long: saves sleeps while packets come, costs processor time.
  void SetLinger(double microseconds) { lingerMs_ = microseconds / 1e3; }

 private:
  friend class Poller;

  explicit PollHub(napi_env env) : env_(env) {}

  static void OnPrepare(uv_prepare_t* handle);
  static void OnIdle(uv_idle_t* handle);
  static void OnTeardown(napi_async_cleanup_hook_handle handle, void* hub);
  static void OnClosed(uv_handle_t* handle);

  void Run();
  bool WaitAndCall();
  void FinishTicks();
  int LoopTimeoutMs();
  bool Collect(int timeoutMs, double nowMs);
  void NoteAbsence(double waitedFromMs);
  int CallReady();
  bool Call(Poller& poller);
  void PollerOpened();
  void PollerClosed();

  napi_env env_;
  uv_loop_t* loop_ = nullptr;
  uv_prepare_t prepare_ = {};
  uv_idle_t idle_ = {};
  int openHandles_ = 0;  // of libuv, not yet closed
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle teardown_ = nullptr;
  std::unique_ptr<PollSet> set_;
  std::vector<std::unique_ptr<Poller>> pollers_;  // never removed: handles are not reused
  int openPollers_ = 0;
  double lingerMs_ = 0;
  AbsenceWatch absences_{};
  double lookedMs_ = 0;  // when the last wait ended
};

}  // namespace tuntap
