// Unwraps, calls, wraps; the logic is in poller.h.
#include "addon.h"
#include "poller.h"

namespace tuntap {

// Borrowed: the hub frees itself with the environment. Made with the first poller.
struct PollerTable {
  PollHub* hub = nullptr;
  // What the hub writes absences to, kept alive for the life of the environment.
  napi_ref absenceCells = nullptr;
  napi_ref absenceHistogram = nullptr;
};

namespace {

Poller* ToPoller(napi_env env, napi_value handle) {
  const PollHub* hub = GetAddon(env)->pollers->hub;
  return hub == nullptr ? nullptr : hub->Get(ToInt(env, handle, -1));
}

napi_value ClosedHandle(napi_env env) { return FromOutcome(env, FailedWith(EBADF, "closed poller")); }

// pollerOpen(onReady, clock: Float64Array(3), timer: Float64Array(1)): handle or -errno
napi_value PollerOpen(napi_env env, napi_callback_info info) {
  napi_value args[3];
  Arguments(env, info, args);
  napi_valuetype type = napi_undefined;
  double* clock = ToDoubles(env, args[1], kClockCells);
  double* timer = ToDoubles(env, args[2], 1);
  if (napi_typeof(env, args[0], &type) != napi_ok || type != napi_function || clock == nullptr || timer == nullptr) {
    return FromOutcome(env, FailedWith(EINVAL, "new Poller"));
  }
  PollHub*& hub = GetAddon(env)->pollers->hub;
  if (hub == nullptr) {
    const Outcome opened = PollHub::Open(env, &hub);
    if (opened.failed()) return FromOutcome(env, opened);
  }
  return FromOutcome(env, hub->AddPoller(args[0], args[1], clock, args[2], timer));
}

napi_value PollerClose(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  if (Poller* poller = ToPoller(env, args[0])) poller->Close();
  return nullptr;
}

// pollerAdd(handle, fd, bit), pollerRemove(handle, fd), pollerArmTimer(handle): 0 or -errno
napi_value PollerAdd(napi_env env, napi_callback_info info) {
  napi_value args[3];
  Arguments(env, info, args);
  Poller* poller = ToPoller(env, args[0]);
  if (poller == nullptr) return ClosedHandle(env);
  return FromOutcome(env, poller->Add(ToInt(env, args[1], -1), uint32_t(ToInt(env, args[2]))));
}

napi_value PollerRemove(napi_env env, napi_callback_info info) {
  napi_value args[2];
  Arguments(env, info, args);
  Poller* poller = ToPoller(env, args[0]);
  return poller == nullptr ? ClosedHandle(env) : FromOutcome(env, poller->Remove(ToInt(env, args[1], -1)));
}

napi_value PollerArmTimer(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  Poller* poller = ToPoller(env, args[0]);
  return poller == nullptr ? ClosedHandle(env) : FromOutcome(env, poller->ArmTimer());
}

// pollersSetLinger(microseconds): 0, or -EBADF without a poller
napi_value PollersSetLinger(napi_env env, napi_callback_info info) {
  napi_value args[1];
  Arguments(env, info, args);
  PollHub* hub = GetAddon(env)->pollers->hub;
  if (hub == nullptr) return ClosedHandle(env);
  hub->SetLinger(ToDouble(env, args[0]));
  return FromInt(env, 0);
}

// pollersWatchAbsences(cells: Float64Array(4), histogram: Float64Array, boundsMs: Float64Array, bounds): 0, -EBADF, -EINVAL
napi_value PollersWatchAbsences(napi_env env, napi_callback_info info) {
  napi_value args[4];
  Arguments(env, info, args);
  const int bounds = ToInt(env, args[3], -1);
  PollerTable& table = *GetAddon(env)->pollers;
  if (table.hub == nullptr) return ClosedHandle(env);
  AbsenceWatch watch = {};
  watch.cells = ToDoubles(env, args[0], kAbsenceCells);
  const double* boundsMs = bounds < 0 || bounds > kAbsenceBoundsMax ? nullptr : ToDoubles(env, args[2], size_t(bounds));
  watch.histogram = boundsMs == nullptr ? nullptr : ToDoubles(env, args[1], size_t(bounds) + 1);
  if (watch.cells == nullptr || watch.histogram == nullptr) {
    return FromOutcome(env, FailedWith(EINVAL, "watchAbsences"));
  }
  for (int i = 0; i < bounds; ++i) watch.boundsMs[i] = boundsMs[i];
  watch.boundCount = bounds;
  for (napi_ref* reference : {&table.absenceCells, &table.absenceHistogram}) {
    if (*reference != nullptr) napi_delete_reference(env, *reference);
  }
  napi_create_reference(env, args[0], 1, &table.absenceCells);
  napi_create_reference(env, args[1], 1, &table.absenceHistogram);
  table.hub->WatchAbsences(watch);
  return FromInt(env, 0);
}

}  // namespace

void RegisterPoller(napi_env env, napi_value exports) {
  GetAddon(env)->pollers = std::make_shared<PollerTable>();
  SetFunction(env, exports, "pollerOpen", PollerOpen);
  SetFunction(env, exports, "pollerClose", PollerClose);
  SetFunction(env, exports, "pollerAdd", PollerAdd);
  SetFunction(env, exports, "pollerRemove", PollerRemove);
  SetFunction(env, exports, "pollerArmTimer", PollerArmTimer);
  SetFunction(env, exports, "pollersSetLinger", PollersSetLinger);
  SetFunction(env, exports, "pollersWatchAbsences", PollersWatchAbsences);
}

}  // namespace tuntap
