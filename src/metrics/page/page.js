// The status page: asks for the status document again and again, and shows it. Runs in a browser; it changes nothing anywhere.

import { at, make, setText } from "./elements.js";
import { PeerCard } from "./peer-card.js";
import { countText } from "./quantities.js";
import { showTables } from "./tables.js";

const EVERY_MS = 2_000;
/** A document that takes long to make is asked for less often. */
const PATIENCE = 10;
const CARDS_MAX = 50;
const CHARTS_MAX = 4;
const SEARCH_FROM = 5;
const states = ["silent", "degraded", "up", "idle"];

/** By public key. */
const cards = new Map();
let last;
let isPaused = false;
let timer;

function show(status) {
  last = status;
  const { interface: facts, peers } = status;
  setText(at("interface"), facts.name);
  setText(at("facts"), `version ${facts.version} · UDP port ${facts.listenPort} · MTU ${facts.mtu} · ${facts.aead}`);
  document.title = `${facts.name}: ${headline(peers, status)}`;
  setText(at("headline"), headline(peers, status));
  setText(at("updated"), `as of ${new Date(status.readAtMs).toLocaleTimeString()}`);
  showProblems(status.health.reasons);
  at("search").hidden = peers.length < SEARCH_FROM;
  showPeers(peers, status.readAtMs);
  showTables(status);
}

/** Read out when it changes, so it changes only when something does. */
function headline(peers, { health }) {
  if (!health.isReady) return "not working";
  if (peers.length === 0) return "no peers yet";
  const counts = states.map((state) => [state, peers.filter(({ diagnosis }) => diagnosis.state === state).length]);
  return counts
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${countText(count)} ${state}`)
    .join(", ");
}

function showProblems(reasons) {
  const list = at("problems");
  list.hidden = reasons.length === 0;
  if (list.childElementCount !== reasons.length) list.replaceChildren(...reasons.map(() => make("li")));
  for (const [i, reason] of reasons.entries()) setText(list.children[i], reason);
}

function showPeers(peers, nowMs) {
  const wanted = at("find").value.trim().toLowerCase();
  const found = peers.filter((peer) => wanted === "" || textOf(peer).includes(wanted));
  const order = (peer) => states.indexOf(peer.diagnosis.state);
  const shown = found.toSorted((a, b) => order(a) - order(b)).slice(0, CARDS_MAX);
  const keys = new Set(shown.map(({ publicKey }) => publicKey));
  for (const [key, card] of cards) {
    if (keys.has(key)) continue;
    card.element.remove();
    cards.delete(key);
  }
  for (const peer of shown) {
    let card = cards.get(peer.publicKey);
    if (card === undefined) {
      card = new PeerCard(peer, cards.size < CHARTS_MAX);
      cards.set(peer.publicKey, card);
      at("peers").append(card.element);
    }
    card.update(peer, nowMs);
  }
  arrange(shown);
  const hidden = found.length - shown.length;
  setText(at("more"), hidden > 0 ? `${countText(hidden)} more: search for them by name` : noneText(peers, found));
}

function noneText(peers, found) {
  if (peers.length === 0) return "No peer is configured.";
  return found.length === 0 ? "No peer is like that." : "";
}

/** An element that is moved loses the focus: the list waits until nobody is in it. */
function arrange(shown) {
  const list = at("peers");
  if (list.contains(document.activeElement)) return;
  shown.forEach(({ publicKey }, i) => {
    const { element } = cards.get(publicKey);
    if (list.children[i] !== element) list.insertBefore(element, list.children[i] ?? null);
  });
}

function textOf({ name, publicKey, endpoint, allowedIps, diagnosis }) {
  return [name, publicKey, endpoint ?? "", allowedIps.join(" "), diagnosis.state].join(" ").toLowerCase();
}

async function refresh() {
  clearTimeout(timer);
  const askedMs = performance.now();
  try {
    const response = await fetch("status.json", { cache: "no-store" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(await response.json());
  } catch {
    setText(at("headline"), "The daemon does not answer: what is below is old.");
  }
  if (!isPaused) timer = setTimeout(refresh, Math.max(EVERY_MS, PATIENCE * (performance.now() - askedMs)));
}

at("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  at("pause").setAttribute("aria-pressed", String(isPaused));
  clearTimeout(timer);
  if (!isPaused) void refresh();
});
at("find").addEventListener("input", () => {
  if (last !== undefined) showPeers(last.peers, last.readAtMs);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const card of cards.values()) card.restyle();
});
void refresh();
