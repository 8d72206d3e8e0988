// Wires the page: a press becomes an exchange, the exchange runs, the views show how it stands.

import { ActionButton, followVia } from "./action-buttons.js";
import { ACTIONS, journeyTaken } from "./actions.js";
import { Broker, messageOf } from "./broker.js";
import { copy } from "./clipboard.js";
import { asCurl } from "./curl.js";
import { byId } from "./dom.js";
import { milliseconds, statusLine } from "./format.js";
import { watchHealth } from "./health.js";
import { HistoryView } from "./history-view.js";
import { History } from "./history.js";
import { valuesFor, watchFields } from "./payload.js";
import { prove } from "./proof.js";
import { ResultView } from "./result-view.js";

const { brokerUrl, mailboxUrl } = document.body.dataset;
const broker = new Broker(brokerUrl);
const history = new History();

async function press({ button, label }) {
  const plan = ACTIONS[button.id](valuesFor(button));
  const started = performance.now();
  const { request, journey, answered, proof: proofKind } = plan;
  const id = history.add({ action: button.id, label, at: new Date(), state: "busy", request, journey, answered, proofKind });

  const { reply, trouble, durationMs } = await broker.send(request);
  if (!reply?.ok) {
    history.change(id, { state: "failure", reply, trouble, durationMs });
    return;
  }
  history.change(id, { state: "checking", reply, durationMs, journey: journeyTaken(plan, reply) });
  const proof = await prove(proofKind, { reply, started, broker, mailboxUrl });
  history.change(id, { state: proof.state, proof });
}

function announce({ label, state, reply, trouble, durationMs, proof }) {
  const words = {
    success: () => [statusLine(reply.status, reply.reason), messageOf(reply), milliseconds(durationMs), arrival(proof)],
    pending: () => [statusLine(reply.status, reply.reason), messageOf(reply), "not seen in MongoDB yet"],
    failure: () => [reply ? statusLine(reply.status, reply.reason) : "", trouble ?? messageOf(reply)],
  }[state];
  if (words) byId("announcement").textContent = [label, ...words()].filter(Boolean).join(". ");
}

function arrival(proof) {
  return proof?.kind === "record" ? `In MongoDB after ${milliseconds(proof.afterMs)}` : "";
}

function offerCurl() {
  const button = byId("copyCurl");
  const words = button.querySelector("span");
  let timer = null;
  button.addEventListener("click", async () => {
    const copied = await copy(asCurl(brokerUrl, history.shown.request));
    words.textContent = copied ? "Copied" : "Could not copy";
    clearTimeout(timer);
    timer = setTimeout(() => (words.textContent = "Copy as curl"), 1600);
  });
  history.addEventListener("change", () => (button.disabled = false), { once: true });
}

function start() {
  const buttons = new Map(
    Object.keys(ACTIONS).map((id) => [id, new ActionButton(byId(id), press)]),
  );
  const resultView = new ResultView();
  const historyView = new HistoryView(history);
  history.addEventListener("change", ({ detail: changed }) => {
    if (changed && history.latestOf(changed.action) === changed) buttons.get(changed.action).render(changed);
    if (history.shown) resultView.render(history.shown);
    historyView.render();
    if (changed) announce(changed);
  });
  watchFields();
  followVia(byId("logBtn"), byId("logForm"));
  offerCurl();
  watchHealth(broker);
}

start();
