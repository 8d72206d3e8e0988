// The verdict in words, and the two panes with what was sent and what came back.

import { messageOf } from "./broker.js";
import { byId, el, icon } from "./dom.js";
import { milliseconds, statusLine } from "./format.js";
import { renderJourney } from "./journey-view.js";
import { jsonView } from "./json-view.js";
import { facts, renderProof } from "./proof-view.js";

// Where a log entry is, in the words of the broker's answer and in ours.
const PLACES = { mongodb: "in MongoDB", queued: "queued in RabbitMQ", spooled: "spooled at the broker" };

export class ResultView {
  #output = byId("output");
  #outcome = byId("outcome");
  #journey = byId("journey");
  #proof = byId("proof");
  #sent = byId("payload");
  #received = byId("received");

  render(exchange) {
    this.#output.dataset.state = exchange.state;
    this.#outcome.replaceChildren(...outcomeOf(exchange));
    renderJourney(this.#journey, exchange);
    renderProof(this.#proof, exchange);
    this.#sent.replaceChildren(...sentOf(exchange.request));
    this.#received.replaceChildren(...receivedOf(exchange));
  }
}

function outcomeOf(exchange) {
  const { label, state, reply, trouble } = exchange;
  return [
    el(
      "p",
      { class: "verdict" },
      el("span", { class: "seal" }, sealOf(state)),
      el("strong", {}, label),
      el("span", { class: "verdict-status" }, verdictOf(exchange)),
    ),
    reply || trouble ? el("p", { class: "message" }, trouble ?? messageOf(reply)) : null,
    reply?.body?.errors?.length > 1 ? problems(reply.body.errors) : null,
    state === "busy" ? null : facts(factsOf(exchange)),
  ].filter(Boolean);
}

function sealOf(state) {
  const name = { success: "check", pending: "clock", failure: "cross" }[state];
  return name ? icon(name) : "";
}

function verdictOf({ state, reply }) {
  if (state === "busy") return "on its way…";
  return reply ? statusLine(reply.status, reply.reason) : "No answer";
}

function factsOf({ reply, durationMs, proof, proofKind }) {
  const pairs = [["Duration", milliseconds(durationMs)]];
  const place = proof?.kind === "record" ? PLACES.mongodb : PLACES[reply?.body?.data?.stored];
  if (proofKind === "record" && place) pairs.push(["Entry", place]);
  if (reply?.requestId) pairs.push(["Request id", reply.requestId]);
  return pairs;
}

function problems(errors) {
  return el("ul", { class: "problems" }, ...errors.map(({ pointer, detail }) => el("li", {}, el("code", {}, pointer), ` ${detail}`)));
}

function sentOf({ method, path, body }) {
  const line = el("span", { class: "http-line" }, `${method} ${path}`);
  if (body === undefined) return [line, "\n\n", el("span", { class: "empty" }, "no body")];
  return [line, "\n", header("content-type", "application/json"), "\n", jsonView(body)];
}

function receivedOf({ state, reply }) {
  if (!reply) return [el("span", { class: "empty" }, state === "busy" ? "Waiting for the answer…" : "Nothing came back.")];
  const line = el("span", { class: "http-line" }, `HTTP ${reply.status} ${reply.reason}`);
  const headers = reply.headers.map(([name, value]) => header(name, value));
  return [line, "\n", ...headers, "\n", reply.body === undefined ? reply.text : jsonView(reply.body)];
}

function header(name, value) {
  return el("span", { class: "http-header" }, `${name}: ${value}\n`);
}
