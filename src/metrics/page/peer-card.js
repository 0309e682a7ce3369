// One peer: its name, its sentence, its charts, its numbers.

import { make, setTerms, setText } from "./elements.js";
import { History } from "./history.js";
import { countText, millisecondsText, percentText, reasonText, timeText } from "./quantities.js";

export class PeerCard {
  #element = make("li", { class: "peer" });
  #name = make("span", { class: "name" });
  #state = make("span", { class: "state" });
  #sentence = make("p", { class: "sentence" });
  #key = make("p", { class: "key" });
  #summary = make("summary");
  #terms = make("dl");
  #history;

  /** @param showsCharts  from the start */
  constructor(peer, showsCharts) {
    this.#history = new History(showsCharts);
    this.#element.dataset.key = peer.publicKey;
    this.#element.append(
      make("h3", {}, this.#name, this.#state),
      this.#sentence,
      this.#key,
      this.#history.element,
      make("details", {}, this.#summary, this.#terms),
    );
  }

  get element() {
    return this.#element;
  }

  restyle() {
    this.#history.restyle();
  }

  update(peer, nowMs) {
    const { state, sentence } = peer.diagnosis;
    this.#element.dataset.state = state;
    this.#state.dataset.state = state;
    setText(this.#name, peer.name); // a reload may have changed it
    setText(this.#summary, `Numbers of ${peer.name}`);
    setText(this.#state, state);
    setText(this.#sentence, sentence);
    const more = peer.allowedIpCount > 3 ? ` and ${peer.allowedIpCount - 3} more` : "";
    const prefixes = peer.allowedIps.slice(0, 3).join(", ") + more;
    setText(this.#key, `${peer.endpoint ?? "no endpoint yet"} · ${prefixes || "no AllowedIPs"} · ${peer.publicKey}`);
    setTerms(this.#terms, termsOf(peer));
    this.#history.add(nowMs, peer);
  }
}

function termsOf(peer) {
  const { traffic, path, roundTrip, handshakes, drops } = peer;
  const count = (term, value) => [term, countText(value), value];
  const lost = Math.max(0, path.lost - path.late);
  const everLost = path.received + lost === 0 ? null : lost / (path.received + lost);
  return [
    count("Sent, bytes", peer.sentBytes),
    count("Received, bytes", peer.receivedBytes),
    count("Sent, packets", traffic.sentPackets),
    count("Received, packets", traffic.receivedPackets),
    count("Lost on the path", path.lost),
    count("Came late after all", path.late),
    ["Loss since the start", percentText(everLost), everLost ?? ""],
    count("Came in another order", path.reordered),
    count("Came twice", path.duplicates),
    count("Longest loss in a row", path.lossBurstMax),
    ["Round trip, least", millisecondsText(roundTrip.leastSeconds), roundTrip.leastSeconds ?? ""],
    ["Latest handshake", timeText(peer.latestHandshakeAtMs)],
    ["Last heard of", timeText(peer.lastReceivedAtMs)],
    count("Handshakes", handshakes.completed),
    count("Initiations unanswered", handshakes.initiationsUnanswered),
    count("Wait for a handshake", traffic.stagedPackets),
    ...drops.outbound.map(({ reason, packets }) => count(`Not sent: ${reasonText(reason)}`, packets)),
    ...drops.inbound.map(({ reason, packets }) => count(`Refused: ${reasonText(reason)}`, packets)),
  ];
}
