// The strip that says how the broker is, asked every five seconds while somebody looks at the page.

import { byId, el } from "./dom.js";
import { milliseconds } from "./format.js";

const EVERY = 5_000;

export function watchHealth(broker) {
  let timer = null;
  const look = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    render(judge(await broker.readiness()));
    clearTimeout(timer);
    timer = setTimeout(look, EVERY);
  };
  document.addEventListener("visibilitychange", look);
  look();
}

function judge({ reply }) {
  if (!reply) return { state: "away", word: "Broker unreachable", checks: [] };
  const checks = Object.entries(reply.body?.checks ?? {}).map(([name, check]) => ({ name, ...check }));
  const down = checks.filter((check) => check.status !== "up").map((check) => check.name);
  if (!reply.ok) return { state: "unready", word: `Broker not ready${listed(down)}`, checks };
  if (down.length || reply.body?.degraded) return { state: "degraded", word: `Broker degraded${listed(down)}`, checks };
  return { state: "ready", word: "Broker ready", checks };
}

function listed(names) {
  return names.length ? `: ${names.join(", ")} down` : "";
}

function render({ state, word, checks }) {
  byId("health").dataset.state = state;
  const shown = byId("healthWord");
  // Writing the same words again would make a screen reader say them every five seconds.
  if (shown.textContent !== word) shown.textContent = word;
  byId("healthChecks").replaceChildren(...checks.map(pill));
}

function pill({ name, status, latency_ms: latency, error }) {
  const up = status === "up";
  return el(
    "li",
    { class: "check", "data-state": up ? "up" : "down", title: error ?? "" },
    el("span", { class: "lamp", "aria-hidden": "true" }),
    name,
    el("span", { class: "check-figure" }, up ? milliseconds(latency ?? 0) : "down"),
  );
}
