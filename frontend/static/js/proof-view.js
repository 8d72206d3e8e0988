// What was found at the far end.

import { el, icon } from "./dom.js";
import { milliseconds } from "./format.js";
import { jsonView } from "./json-view.js";

export function renderProof(box, exchange) {
  const parts = exchange ? partsOf(exchange) : [];
  box.hidden = parts.length === 0;
  box.dataset.state = exchange?.state ?? "";
  box.replaceChildren(...parts);
}

function partsOf({ state, proof, proofKind }) {
  if (state === "checking" && proofKind === "record") return [headline("Looking for it in MongoDB…")];
  return proof ? (VIEWS[proof.kind]?.(proof) ?? []) : [];
}

const KEPT = {
  queued: "Queued events are kept: it will be stored as soon as the worker and the logger are back.",
  spooled: "The broker keeps it on its own disk: it will be stored as soon as the logger or RabbitMQ is back.",
};

const VIEWS = {
  record: ({ record, afterMs }) => [
    headline(`In MongoDB after ${milliseconds(afterMs)}`),
    el("pre", { class: "record", tabindex: "0", "aria-label": "The stored record" }, jsonView(record)),
  ],
  late: ({ id, stored, waitedMs }) => [
    headline(stored === "mongodb" ? "Stored, but not to be read back" : "Still on its way"),
    el(
      "p",
      {},
      `No record ${id} was found within ${Math.round(waitedMs / 1000)} seconds. `,
      KEPT[stored] ?? "",
    ),
  ],
  unreadable: ({ id, status }) => [
    headline("Accepted, but not to be read back"),
    el("p", {}, `Asking for record ${id} was answered with ${status}.`),
  ],
  unnamed: () => [el("p", {}, "The answer names no record, so there is nothing to look up.")],
  user: ({ user }) => [headline("Known to auth"), facts(userFacts(user))],
  mail: ({ url, messageId }) => [
    headline("Handed over by SMTP"),
    el(
      "p",
      {},
      el("a", { id: "mailLink", href: url, target: "_blank", rel: "noopener" }, "Read it in the mailbox", icon("away")),
      messageId ? el("code", { class: "message-id" }, messageId) : null,
    ),
  ],
};

function headline(text) {
  return el("p", { class: "proof-headline" }, text);
}

function userFacts(user) {
  const name = [user.first_name, user.last_name].filter(Boolean).join(" ");
  return [
    ["Name", name],
    ["E-mail", user.email],
    ["Id", user.id],
    ["Active", user.active === undefined ? undefined : user.active ? "yes" : "no"],
  ].filter(([, value]) => value !== undefined && value !== "");
}

export function facts(pairs) {
  return el("dl", { class: "facts" }, ...pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))));
}
