// The way of a request as a line of stations that light up as far as we know.

import { el, icon } from "./dom.js";

const ICONS = { done: "check", failed: "cross" };
// Answers that the broker gives before it calls anyone.
const REFUSED_AT_THE_DOOR = new Set([400, 405, 413, 415, 422, 429]);

export function renderJourney(list, exchange) {
  list.hidden = exchange === null;
  if (!exchange) return;
  const states = stationStates(exchange);
  list.dataset.state = exchange.state;
  list.replaceChildren(
    station({ protocol: "", by: "", to: "Console" }, "done"),
    ...exchange.journey.map((hop, index) => station(hop, states[index])),
  );
}

function station({ protocol, by, to }, state) {
  const label = { done: "reached", failed: "failed here", waiting: "waiting", idle: "not reached" }[state];
  return el(
    "li",
    { class: "station", "data-state": state, "data-protocol": protocol },
    el("span", { class: "station-by" }, by),
    el("span", { class: "station-dot" }, ICONS[state] ? icon(ICONS[state]) : null),
    el("span", { class: "station-name" }, to, el("span", { class: "visually-hidden" }, `, ${label}`)),
  );
}

function stationStates({ journey, answered, state, reply }) {
  const fill = (count, state, rest) => journey.map((_, index) => (index < count ? state : rest));
  if (state === "success") return fill(journey.length, "done");
  if (state === "busy") return fill(journey.length, "waiting");
  if (state !== "failure") return fill(answered, "done", "waiting");
  const failedAt = !reply || REFUSED_AT_THE_DOOR.has(reply.status) || journey.length === 1 ? 0 : 1;
  return journey.map((_, index) => (index < failedAt ? "done" : index === failedAt ? "failed" : "idle"));
}
