// The badge on each button: how its latest press fared.

import { icon } from "./dom.js";
import { milliseconds } from "./format.js";

const WAYS = { rpc: "JSON-RPC to the logger, into MongoDB", http: "HTTP to the logger, into MongoDB" };

export class ActionButton {
  constructor(button, onPress) {
    this.button = button;
    this.badge = button.querySelector(".badge");
    button.addEventListener("click", () => {
      if (button.dataset.state !== "busy") onPress(this);
    });
  }

  get label() {
    return this.button.querySelector(".action-label").textContent;
  }

  render(exchange) {
    this.button.dataset.state = exchange.state;
    this.button.setAttribute("aria-busy", String(exchange.state === "busy"));
    this.badge.replaceChildren(...badgeOf(exchange));
  }
}

function badgeOf({ state, reply, durationMs }) {
  if (state === "busy") return ["sending"];
  if (!reply) return [icon("cross"), "no answer"];
  const figures = `${reply.status} · ${milliseconds(durationMs)}`;
  if (state === "checking") return [figures];
  return [icon({ success: "check", pending: "clock", failure: "cross" }[state]), figures];
}

// Test Log is the one button whose protocol can be chosen.
export function followVia(button, form) {
  form.addEventListener("input", () => {
    const via = new FormData(form).get("via");
    button.dataset.protocol = via;
    button.querySelector(".action-way").textContent = WAYS[via];
  });
}
