// Every number that TypeScript repeats, by its C++ name, so that a test can compare.
#include "addon.h"
#include "poll_set.h"
#include "poller.h"
#include "system.h"
#include "tun.h"
#include "udp.h"
#include "udp_steering.h"

namespace tuntap {
namespace {

struct NamedConstant {
  const char* name;
  int64_t value;
};

#define CONSTANT(name) \
  { #name, int64_t(name) }
#define FIELD(name) \
  { #name, int64_t(offsetof(EndpointRecord, name)) }
#define COLUMN(name) \
  { #name, int64_t(layout.name) }

constexpr NamedConstant kConstants[] = {
    CONSTANT(kCellPacketCount),    CONSTANT(kCellRunCount),       CONSTANT(kCellArenaUsed),
    CONSTANT(kCellEndpointCount),  CONSTANT(kCellPadLimit),       CONSTANT(kHeaderCells),
    CONSTANT(kCellMore),           CONSTANT(kCellOtherFamily),
    CONSTANT(kHeadroomBytes),      CONSTANT(kTagBytes),           CONSTANT(kPadToBytes),
    CONSTANT(kRunMalformed),       CONSTANT(kRunInitiation),      CONSTANT(kRunResponse),
    CONSTANT(kRunCookieReply),     CONSTANT(kRunData),            CONSTANT(kRunRaw),
    CONSTANT(kNoKey),              CONSTANT(kNoEndpoint),         CONSTANT(kTunReads),
    CONSTANT(kTunReadBytes),       CONSTANT(kTunSuperPackets),    CONSTANT(kTunSegments),
    CONSTANT(kTunMalformed),       CONSTANT(kTunTooLarge),        CONSTANT(kTunWrites),
    CONSTANT(kTunWriteBytes),      CONSTANT(kTunCoalescedWrites), CONSTANT(kTunWrittenPackets),
    CONSTANT(kTunWriteFailures),   CONSTANT(kTunRetriedUncoalesced), CONSTANT(kTunStatCount),
    CONSTANT(kTunQueueDropped),    CONSTANT(kTunKernelDropped),
    CONSTANT(kUdpReceiveCalls),    CONSTANT(kUdpReceiveMessages), CONSTANT(kUdpReceiveDatagrams),
    CONSTANT(kUdpReceiveBytes),    CONSTANT(kUdpMergedMessages),  CONSTANT(kUdpTruncated),
    CONSTANT(kUdpNoSlot),          CONSTANT(kUdpRxOverflow),      CONSTANT(kUdpSendCalls),
    CONSTANT(kUdpSendMessages),    CONSTANT(kUdpSendDatagrams),   CONSTANT(kUdpSendBytes),
    CONSTANT(kUdpSegmentedMessages), CONSTANT(kUdpGsoRefused),    CONSTANT(kUdpGsoRetried),
    CONSTANT(kUdpSourceCleared),   CONSTANT(kUdpSendWouldBlock),  CONSTANT(kUdpSendNoBuffers),
    CONSTANT(kUdpSendFailures),    CONSTANT(kUdpSmallDatagrams), CONSTANT(kSmallDatagramBytes),
    CONSTANT(kUdpStatCount),       CONSTANT(kReceiveStretchBytes),
    CONSTANT(kDatagramsPerMessage), CONSTANT(kLinkIfindex),       CONSTANT(kLinkMtu),
    CONSTANT(kLinkUp),             CONSTANT(kLinkCells),          CONSTANT(kClockBoot),
    CONSTANT(kClockReal),          CONSTANT(kClockMonotonic),     CONSTANT(kClockCells),
    CONSTANT(kAbsenceCount),       CONSTANT(kAbsenceMsSum),       CONSTANT(kAbsenceMsMax),
    CONSTANT(kAbsenceQueuedMs),    CONSTANT(kAbsenceCells),
    CONSTANT(kTimerBit),           CONSTANT(kFrameBytesMax),      FIELD(family),                 FIELD(portNetworkOrder),
    FIELD(scopeId),                FIELD(address),                FIELD(sourceIfindex),
    FIELD(source),                 FIELD(gsoRefusedUntilMs),      {"endpointBytes", sizeof(EndpointRecord)},
};

template <size_t N>
void SetAll(napi_env env, napi_value object, const NamedConstant (&constants)[N]) {
  for (const NamedConstant& c : constants) {
    napi_set_named_property(env, object, c.name, FromDouble(env, double(c.value)));
  }
}

// layoutConstants(slots, runs, endpoints, arenaBytes): the constants, and where a batch of that size has its columns.
napi_value LayoutConstants(napi_env env, napi_callback_info info) {
  napi_value args[4];
  Arguments(env, info, args);
  const Layout layout = MakeLayout(size_t(ToInt(env, args[0])), size_t(ToInt(env, args[1])),
                                   size_t(ToInt(env, args[2])), size_t(ToInt(env, args[3])));
  const NamedConstant columns[] = {
      COLUMN(packetCounter), COLUMN(runCounter),  COLUMN(packetOffset), COLUMN(packetLength), COLUMN(packetStatus),
      COLUMN(runFirst),      COLUMN(runCount),    COLUMN(runKind),      COLUMN(runReceiver),  COLUMN(runKey),
      COLUMN(runEndpoint),   COLUMN(runTos),      COLUMN(endpoints),    COLUMN(arena),        COLUMN(totalBytes),
  };
  napi_value constants = nullptr;
  napi_value out = nullptr;
  napi_create_object(env, &out);
  napi_create_object(env, &constants);
  SetAll(env, constants, kConstants);
  SetAll(env, out, columns);
  napi_set_named_property(env, out, "constants", constants);
  return out;
}

}  // namespace

void RegisterConstants(napi_env env, napi_value exports) {
  SetFunction(env, exports, "layoutConstants", LayoutConstants);
}

}  // namespace tuntap
