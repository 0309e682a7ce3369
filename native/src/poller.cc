// HOT PATH: from the kernel into JavaScript.
#include "poller.h"

namespace tuntap {
namespace {

// libuv gets a round at least so often once JavaScript ran: a handle that it started is unknown to epoll until then.
constexpr double kAwayMsMax = 10;
// A wait that was this long was a sleep: nothing was ready when it began.
constexpr double kSleepMsMin = 0.02;
constexpr uint32_t kLoopWatcher = UINT32_MAX;

double NowMs() {
  timespec t = {};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) * 1e3 + double(t.tv_nsec) / 1e6;
}

}  // namespace

Outcome Poller::Add(int fd, uint32_t bit) { return hub_.set_->Add(fd, PollTag{index_, bit}); }

Outcome Poller::Remove(int fd) { return hub_.set_->Remove(fd); }

Outcome Poller::ArmTimer() {
  const Outcome set = timer_->Set(*timerCell_);
  if (set.failed()) *timerCell_ = 0;
  return set;
}

void Poller::Close() {
  open_ = false;
  ready_ = 0;
  timer_.reset();  // and with its descriptor it leaves the set
  for (napi_ref reference : {onReady_, clockMemory_, timerMemory_}) napi_delete_reference(hub_.env_, reference);
  hub_.PollerClosed();
}

Outcome PollHub::Open(napi_env env, PollHub** out) {
  auto hub = std::unique_ptr<PollHub>(new PollHub(env));
  if (napi_get_uv_event_loop(env, &hub->loop_) != napi_ok) return FailedWith(ENOSYS, "napi_get_uv_event_loop");
  Outcome outcome = PollSet::Open(hub->set_);
  if (outcome.failed()) return outcome;
  outcome = hub->set_->Add(uv_backend_fd(hub->loop_), PollTag{kLoopWatcher, 0});
  if (outcome.failed()) return outcome;
  napi_value name = nullptr;
  napi_create_string_utf8(env, "tun-tap-ts", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, nullptr, name, &hub->context_);
  uv_prepare_init(hub->loop_, &hub->prepare_);
  uv_idle_init(hub->loop_, &hub->idle_);
  hub->prepare_.data = hub->idle_.data = hub.get();
  hub->openHandles_ = 2;
  napi_add_async_cleanup_hook(env, OnTeardown, hub.get(), &hub->teardown_);
  *out = hub.release();
  return outcome;
}

Outcome PollHub::AddPoller(napi_value onReady, napi_value clock, double* clockCells, napi_value timer,
                           double* timerCell) {
  auto poller = std::make_unique<Poller>(*this, uint32_t(pollers_.size()));
  Outcome outcome = PollTimer::Open(poller->timer_);
  if (!outcome.failed()) outcome = set_->Add(poller->timer_->fd(), PollTag{poller->index_, kTimerBit});
  if (outcome.failed()) return outcome;
  poller->clock_ = clockCells;
  poller->timerCell_ = timerCell;
  napi_create_reference(env_, onReady, 1, &poller->onReady_);
  napi_create_reference(env_, clock, 1, &poller->clockMemory_);
  napi_create_reference(env_, timer, 1, &poller->timerMemory_);
  poller->open_ = true;
  pollers_.push_back(std::move(poller));
  PollerOpened();
  return Succeeded(int(pollers_.size()) - 1);
}

Poller* PollHub::Get(int32_t handle) const {
  if (handle < 0 || size_t(handle) >= pollers_.size()) return nullptr;
  Poller* poller = pollers_[size_t(handle)].get();
  return poller->open_ ? poller : nullptr;
}

// Active handles keep the event loop alive: only while there is a poller.
void PollHub::PollerOpened() {
  if (openPollers_++ > 0) return;
  uv_prepare_start(&prepare_, OnPrepare);
  uv_idle_start(&idle_, OnIdle);
}

void PollHub::PollerClosed() {
  if (--openPollers_ > 0) return;
  uv_prepare_stop(&prepare_);
  uv_idle_stop(&idle_);
}

void PollHub::OnIdle(uv_idle_t*) {}

void PollHub::OnPrepare(uv_prepare_t* handle) { static_cast<PollHub*>(handle->data)->Run(); }

// How long libuv would wait: 0 when it has work, -1 for ever.
int PollHub::LoopTimeoutMs() {
  uv_update_time(loop_);
  uv_idle_stop(&idle_);
  const int timeoutMs = uv_backend_timeout(loop_);
  uv_idle_start(&idle_, OnIdle);
  return timeoutMs;
}

// A wait that began then is over.
void PollHub::NoteAbsence(double waitedFromMs) {
  const double absentMs = lookedMs_ == 0 ? 0 : waitedFromMs - lookedMs_;
  lookedMs_ = NowMs();
  double* cells = absences_.cells;
  cells[kAbsenceCount] += 1;
  cells[kAbsenceMsSum] += absentMs;
  if (absentMs > cells[kAbsenceMsMax]) cells[kAbsenceMsMax] = absentMs;
  cells[kAbsenceQueuedMs] = lookedMs_ - waitedFromMs < kSleepMsMin ? absentMs : 0;
  int bucket = 0;
  while (bucket < absences_.boundCount && absentMs > absences_.boundsMs[bucket]) ++bucket;
  absences_.histogram[bucket] += 1;
}

// Waits and notes what is ready. Returns whether libuv has work.
bool PollHub::Collect(int timeoutMs, double nowMs) {
  PollTag ready[PollSet::kReadyMax];
  const int n = set_->Wait(timeoutMs, ready);
  if (absences_.cells != nullptr) NoteAbsence(nowMs);
  bool loopReady = false;
  for (int i = 0; i < n; ++i) {
    if (ready[i].watcher == kLoopWatcher) {
      loopReady = true;
      continue;
    }
    Poller& poller = *pollers_[ready[i].watcher];
    if (!poller.open_) continue;
    if (ready[i].bit == kTimerBit) {
      if (!poller.timer_->Drain()) continue;  // armed anew in between
      *poller.timerCell_ = 0;
    }
    poller.ready_ |= ready[i].bit;
  }
  return loopReady;
}

void PollHub::Run() {
  if (WaitAndCall()) FinishTicks();
}

// What node does after every callback of its own: process.nextTick() and promises. A turn of packets leaves none behind, and half of
// what it would touch to find that out is code that has left the caches since the last packet: so it is done once a round.
void PollHub::FinishTicks() {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  napi_value resource = nullptr;
  napi_callback_scope ticks = nullptr;
  napi_get_global(env_, &resource);
  if (napi_open_callback_scope(env_, resource, context_, &ticks) == napi_ok) napi_close_callback_scope(env_, ticks);
  napi_close_handle_scope(env_, scope);
}

// Returns whether JavaScript ran.
bool PollHub::WaitAndCall() {
  bool ran = false;
  double awayMs = 0;   // JavaScript first ran in this round
  double activeMs = 0; // and last
  for (;;) {
    const int loopTimeoutMs = LoopTimeoutMs();
    const double nowMs = NowMs();
    if (awayMs != 0 && nowMs - awayMs >= kAwayMsMax) return ran;
    const bool lingering = activeMs != 0 && nowMs - activeMs < lingerMs_;
    int timeoutMs = lingering ? 0 : loopTimeoutMs;
    if (awayMs != 0 && (timeoutMs < 0 || timeoutMs > int(kAwayMsMax))) timeoutMs = int(kAwayMsMax);
    const bool loopReady = Collect(timeoutMs, nowMs);
    const int called = CallReady();
    ran |= called != 0;
    if (called < 0 || loopReady || loopTimeoutMs == 0) return ran;
    if (called == 0 && !lingering) return ran;  // libuv's next timer is due, or the time away is over
    if (called > 0) activeMs = nowMs;
    if (awayMs == 0) awayMs = nowMs;
  }
}

// Returns callbacks called, or -1 when there is nothing left to wait for: all closed, or JavaScript cannot run again.
int PollHub::CallReady() {
  int called = 0;
  // A call may open pollers and close any.
  for (size_t i = 0; i < pollers_.size(); ++i) {
    Poller& poller = *pollers_[i];
    if (poller.ready_ == 0) continue;
    if (!Call(poller)) return -1;
    ++called;
  }
  return openPollers_ == 0 ? -1 : called;
}

bool PollHub::Call(Poller& poller) {
  const uint32_t ready = poller.ready_;
  poller.ready_ = 0;
  ReadClock(poller.clock_);
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return false;
  napi_value function = nullptr;
  napi_value receiver = nullptr;
  napi_value argument = nullptr;
  napi_get_reference_value(env_, poller.onReady_, &function);
  napi_get_global(env_, &receiver);
  napi_create_uint32(env_, ready, &argument);
  napi_status status = napi_call_function(env_, receiver, function, 1, &argument, nullptr);
  if (status == napi_pending_exception) {
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env_, &error);
    status = napi_fatal_exception(env_, error);
  }
  napi_close_handle_scope(env_, scope);
  return status == napi_ok;
}

void PollHub::OnTeardown(napi_async_cleanup_hook_handle, void* data) {
  auto* hub = static_cast<PollHub*>(data);
  napi_async_destroy(hub->env_, hub->context_);
  uv_close(reinterpret_cast<uv_handle_t*>(&hub->prepare_), OnClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&hub->idle_), OnClosed);
}

void PollHub::OnClosed(uv_handle_t* handle) {
  auto* hub = static_cast<PollHub*>(handle->data);
  if (--hub->openHandles_ > 0) return;
  napi_remove_async_cleanup_hook(hub->teardown_);
  delete hub;
}

}  // namespace tuntap
