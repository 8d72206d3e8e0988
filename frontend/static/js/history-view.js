// The list of past exchanges. Rows are kept, not rebuilt, so that a focused one stays focused.

import { byId, el, icon } from "./dom.js";
import { clock, milliseconds } from "./format.js";

const ICONS = { success: "check", failure: "cross", pending: "clock" };

export class HistoryView {
  #list = byId("history");
  #rows = new Map();

  constructor(history) {
    this.history = history;
  }

  render() {
    const { all, shown } = this.history;
    const rows = new Map(all.map((exchange) => [exchange.id, this.#rows.get(exchange.id) ?? this.#row(exchange)]));
    for (const exchange of all) fill(rows.get(exchange.id), exchange, exchange === shown);
    this.#place([...rows.values()]);
    this.#rows = rows;
  }

  #place(rows) {
    if (this.#list.firstChild !== rows[0]) this.#list.prepend(rows[0]);
    for (const stray of [...this.#list.children].slice(rows.length)) stray.remove();
  }

  #row(exchange) {
    const button = el("button", { type: "button", class: "past" });
    button.addEventListener("click", () => this.history.show(exchange.id));
    return el("li", {}, button);
  }
}

function fill(row, exchange, isShown) {
  const button = row.firstChild;
  button.dataset.state = exchange.state;
  button.setAttribute("aria-current", String(isShown));
  const { reply, durationMs, state } = exchange;
  button.replaceChildren(
    el("span", { class: "past-mark" }, ICONS[state] ? icon(ICONS[state]) : ""),
    el("span", { class: "past-label" }, exchange.label),
    el("span", { class: "past-status" }, reply ? String(reply.status) : state === "busy" ? "…" : "no answer"),
    el("span", { class: "past-duration" }, state === "busy" ? "" : milliseconds(durationMs)),
    el("time", { class: "past-time", datetime: exchange.at.toISOString() }, clock(exchange.at)),
  );
}
