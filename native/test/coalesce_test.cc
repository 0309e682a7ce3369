// Coalescing, rule by rule: which packets become one write, what that write says, and that the order inside a flow
// holds. Random streams are in split_merge_test.cc.
#include "coalesce.h"

#include <cerrno>
#include <functional>

#include "coalesce_cases.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

struct Rule {
  const char* name;
  const char* expected;  // writes of three packets of which the second was changed
  std::function<void(PacketSpec&)> change;
};

// Three packets of which the second is changed. The third continues the second as it was before the change, or, if the
// change takes the second out of the flow, the first.
void CheckRules(const PacketSpec& first, bool otherFlow, const std::vector<Rule>& rules) {
  const PacketSpec next = Following(first, first.payload.size());
  const Bytes third = Build(otherFlow ? next : Following(next, first.payload.size()));
  for (const Rule& rule : rules) {
    caseName = rule.name;
    PacketSpec second = next;
    rule.change(second);
    const std::string plan = Plan({Build(first), Build(second), third});
    if (!EXPECT(plan == rule.expected)) std::fprintf(stderr, "  writes are: %s\n", plan.c_str());
  }
  caseName = "";
}

const std::vector<Rule> kOtherFlow = {
    {"source port", "2 1", [](auto& s) { s.sourcePort ^= 1; }},
    {"destination port", "2 1", [](auto& s) { s.destinationPort ^= 1; }},
    {"first byte of the source", "2 1", [](auto& s) { s.source[0] ^= 1; }},
    {"last byte of the source", "2 1", [](auto& s) { s.source[s.version6 ? 15 : 3] ^= 1; }},
    {"first byte of the destination", "2 1", [](auto& s) { s.destination[0] ^= 1; }},
    {"last byte of the destination", "2 1", [](auto& s) { s.destination[s.version6 ? 15 : 3] ^= 1; }},
    {"another protocol", "2 1", [](auto& s) { s.tcp = !s.tcp; }},
    {"another version", "2 1", [](auto& s) { s.version6 = !s.version6; }},
};

const std::vector<Rule> kEveryFlow = {
    {"unchanged", "3", [](auto&) {}},
    {"shorter closes", "2 1", [](auto& s) { s.payload.pop_back(); }},
    {"one byte closes", "2 1", [](auto& s) { s.payload.resize(1); }},
    {"DSCP", "1 1 1", [](auto& s) { s.tos ^= 4; }},
    {"ECT(0)", "1 1 1", [](auto& s) { s.tos ^= 2; }},
    {"CE", "1 1 1", [](auto& s) { s.tos ^= 3; }},
    {"TTL", "1 1 1", [](auto& s) { s.ttl--; }},
    {"no payload", "1 1 1", [](auto& s) { s.payload.clear(); }},
};

const std::vector<Rule> kEveryIp4 = {
    {"DF gone", "1 1 1", [](auto& s) { s.fragment = 0; }},
    {"reserved bit", "1 1 1", [](auto& s) { s.fragment |= 0x8000; }},
    {"first fragment", "1 1 1", [](auto& s) { s.fragment = 0x2000; }},
    {"later fragment", "1 1 1", [](auto& s) { s.fragment = 5; }},
    {"IPv4 options", "1 1 1", [](auto& s) { s.ipOptions = {1, 1, 1, 1}; }},
    {"id jumps", "1 1 1", [](auto& s) { s.id += 2; }},
    {"id steps back", "1 1 1", [](auto& s) { s.id -= 2; }},
};

const std::vector<Rule> kEveryIp6 = {
    {"flow label", "1 1 1", [](auto& s) { s.flowLabel ^= 1; }},
    {"extension header", "1 1 1",
     [](auto& s) {
       s.firstExtension = 60;
       s.ipOptions = {uint8_t(s.tcp ? 6 : 17), 0, 1, 4, 0, 0, 0, 0};
     }},
};

const std::vector<Rule> kEveryTcp = {
    {"PSH closes", "2 1", [](auto& s) { s.flags |= kPsh; }},
    {"longer", "1 1 1", [](auto& s) { s.payload.push_back(0); }},
    {"acknowledgement", "1 1 1", [](auto& s) { s.acknowledgement++; }},
    {"window", "1 1 1", [](auto& s) { s.window++; }},
    {"hole before", "1 1 1", [](auto& s) { s.sequence++; }},
    {"again the first", "1 1 1", [](auto& s) { s.sequence -= 100; }},
    {"option value", "1 1 1", [](auto& s) { s.tcpOptions[11]++; }},
    {"option kind", "1 1 1", [](auto& s) { s.tcpOptions[0]++; }},
    {"option length", "1 1 1", [](auto& s) { s.tcpOptions.resize(8); }},
    {"no options", "1 1 1", [](auto& s) { s.tcpOptions.clear(); }},
    {"urgent pointer", "1 1 1", [](auto& s) { s.urgent = 1; }},
    {"reserved bits", "1 1 1", [](auto& s) { s.reserved = 1; }},
    {"URG", "1 1 1", [](auto& s) { s.flags |= kUrg; }},
    {"SYN", "1 1 1", [](auto& s) { s.flags |= kSyn; }},
    {"FIN", "1 1 1", [](auto& s) { s.flags |= kFin; }},
    {"RST", "1 1 1", [](auto& s) { s.flags |= kRst; }},
    {"CWR", "1 1 1", [](auto& s) { s.flags |= kCwr; }},
    {"ECE", "1 1 1", [](auto& s) { s.flags |= kEce; }},
    {"no ACK", "1 1 1", [](auto& s) { s.flags = 0; }},
};

const std::vector<Rule> kEveryUdp = {
    {"longer begins anew", "1 2", [](auto& s) { s.payload.push_back(0); }},
    {"no checksum", "1 1 1", [](auto& s) { s.noUdpChecksum = true; }},
};

void TestRules() {
  for (const bool version6 : {false, true}) {
    for (const bool tcp : {true, false}) {
      const PacketSpec first = First(version6, tcp);
      CheckRules(first, true, kOtherFlow);
      CheckRules(first, false, kEveryFlow);
      CheckRules(first, false, version6 ? kEveryIp6 : kEveryIp4);
      CheckRules(first, false, tcp ? kEveryTcp : kEveryUdp);
    }
  }
}

// What is never merged, not even with its like.
void TestNeverMerged() {
  for (const uint8_t flags : {kSyn, kFin, kRst, kUrg, kCwr}) {
    PacketSpec spec = First(true, true);
    spec.flags |= flags;
    EXPECT(Plan({Build(spec), Build(Following(spec, 100))}) == "1 1");
  }
  PacketSpec spec = First(true, false);
  spec.noUdpChecksum = true;
  EXPECT(Plan({Build(spec), Build(Following(spec, 100))}) == "1 1");
  spec = First(true, true, 0);
  EXPECT(Plan({Build(spec), Build(spec)}) == "1 1");
  spec = First(false, true);
  spec.ipOptions = {1, 1, 1, 1};
  EXPECT(Plan({Build(spec), Build(Following(spec, 100))}) == "1 1");
  spec = First(true, true);
  spec.reserved = 1;
  EXPECT(Plan({Build(spec), Build(Following(spec, 100))}) == "1 1");
}

void TestIds() {
  PacketSpec a = First(false, true);
  a.id = 0xffff;
  PacketSpec b = Following(a, 100);  // wraps to 0
  PacketSpec c = Following(b, 100);
  EXPECT(Plan({Build(a), Build(b), Build(c)}) == "3");
  b.id = c.id = a.id;
  EXPECT(Plan({Build(a), Build(b), Build(c)}) == "3");  // fixed, and may be: DF
  c.id++;
  EXPECT(Plan({Build(a), Build(b), Build(c)}) == "2 1");  // fixed at first
  b.id = uint16_t(a.id + 1);
  c.id = b.id;
  EXPECT(Plan({Build(a), Build(b), Build(c)}) == "2 1");  // rising at first
  a.fragment = b.fragment = c.fragment = 0;
  c.id = uint16_t(b.id + 1);
  EXPECT(Plan({Build(a), Build(b), Build(c)}) == "3");
  b.id = c.id = a.id;
  EXPECT(Plan({Build(a), Build(b), Build(c)}) == "1 1 1");  // equal ids without DF
}

void TestEce() {
  PacketSpec a = First(true, true);
  a.flags |= kEce;
  EXPECT(Plan({Build(a), Build(Following(a, 100))}) == "2");
}

void TestPshOnFirst() {
  PacketSpec a = First(true, true);
  PacketSpec b = Following(a, 100);
  const PacketSpec c = Following(b, 50);
  a.flags |= kPsh;
  EXPECT(Plan({Build(a), Build(b), Build(c)}) == "1 2");
}

void TestLimits() {
  for (const bool version6 : {false, true}) {
    // 65,535 bytes of IP at most.
    PacketSpec spec = First(version6, true, 8000);
    const size_t fits = (65535 - HeaderBytes(spec)) / 8000;
    std::vector<Bytes> packets;
    for (int i = 0; i < 20; i++, spec = Following(spec, 8000)) packets.push_back(Build(spec));
    EXPECT(fits == 8 && Plan(packets) == "8 8 4");
    // Exactly 65,535.
    spec = First(version6, true, 8000);
    packets.resize(1);
    packets[0] = Build(spec);
    const size_t rest = 65535 - HeaderBytes(spec) - 8 * 8000;
    for (int i = 0; i < 7; i++) packets.push_back(Build(spec = Following(spec, 8000)));
    packets.push_back(Build(Following(spec, rest)));
    EXPECT(Plan(packets) == "9");
    packets.back() = Build(Following(spec, rest + 1));
    EXPECT(Plan(packets) == "8 1");
    // Packets a write.
    for (const bool tcp : {true, false}) {
      spec = First(version6, tcp, 20);
      packets.clear();
      for (int i = 0; i < 300; i++, spec = Following(spec, 20)) packets.push_back(Build(spec));
      EXPECT(Plan(packets) == (tcp ? "128 128 44" : "64 64 64 64 44"));
    }
  }
}

void TestOptions() {
  for (const bool tcp : {true, false}) {
    const PacketSpec a = First(true, tcp);
    const std::vector<Bytes> packets = {Build(a), Build(Following(a, 100))};
    EXPECT(Plan(packets, {false, false}) == "1 1");
    EXPECT(Plan(packets, {tcp, !tcp}) == "2");
    EXPECT(Plan(packets, {!tcp, tcp}) == "1 1");
  }
}

// Packet `index` of flow `flow`.
Bytes OfFlow(int flow, int index) {
  PacketSpec spec = First(flow % 2 == 0, flow % 3 != 0);
  spec.sourcePort = uint16_t(1000 + flow);
  for (int i = 0; i < index; i++) spec = Following(spec, 100);
  return Build(spec);
}

std::string Fours(int count) {
  std::string out;
  for (int i = 0; i < count; i++) out += i == 0 ? "4" : " 4";
  return out;
}

// Flows that take turns are merged all; when there are more than the table holds, the order is what counts (Plan checks
// it). Flows that come one after the other are merged however many they are.
void TestManyFlows() {
  for (const int flows : {2, 10, 200}) {
    std::vector<Bytes> turns;
    std::vector<Bytes> blocks;
    for (int i = 0; i < flows * 4; i++) {
      turns.push_back(OfFlow(i % flows, i / flows));
      blocks.push_back(OfFlow(i / 4, i % 4));
    }
    EXPECT(Plan(blocks) == Fours(flows));
    const std::string plan = Plan(turns);
    EXPECT(flows > 10 || plan == Fours(flows));
  }
}

// Something of the same hosts that is no flow keeps its place between the packets of the flows.
void TestOpaqueKeepsItsPlace() {
  PacketSpec a = First(false, false);
  const PacketSpec b = Following(a, 100);
  PacketSpec fragment = a;
  fragment.fragment = 3;
  PacketSpec elsewhere = fragment;
  elsewhere.destination[0] = 11;
  EXPECT(Plan({Build(a), Build(fragment), Build(b)}) == "1 1 1");
  EXPECT(Plan({Build(a), Build(elsewhere), Build(b)}) == "2 1");
  EXPECT(Plan({Build(a), {0xff}, Build(b), {0x45}, {0x60, 0, 0}}) == "2 1 1 1");
}

// What is not to be delivered is not there, and breaks nothing.
void TestWhatIsDelivered() {
  BatchMemory m(16, 8, 65536);
  PacketSpec spec = First(false, true);
  const auto add = [&](int key, int kind, int status) {
    m.BeginRun(key, kind);
    const int slot = m.Add(Build(spec));
    m.batch.packetStatus[slot] = status;
    if (key >= 0 && kind == kRunData && status == 0) spec = Following(spec, 100);
    return slot;
  };
  const int first = add(3, kRunData, 0);
  add(kNoKey, kRunData, 0);
  add(0, kRunInitiation, 0);
  add(0, kRunData, -EBADMSG);
  add(0, kRunData, 7);
  const int empty = add(0, kRunData, 1);  // trimmed to nothing: a keepalive
  m.batch.packetStatus[empty] = 0;
  m.batch.packetLength[empty] = 0;
  const int last = add(0, kRunData, 0);
  const std::vector<PlannedWrite> writes = PlanWrites(m, kBoth);
  EXPECT(writes.size() == 1 && writes[0].slots == (std::vector<int>{first, last}));
}

}  // namespace

int main() {
  TestRules();
  TestNeverMerged();
  TestIds();
  TestEce();
  TestPshOnFirst();
  TestLimits();
  TestOptions();
  TestManyFlows();
  TestOpaqueKeepsItsPlace();
  TestWhatIsDelivered();
  return TestResult();
}
