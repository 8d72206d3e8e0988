// The mailbox page: keeps the list live, shows one mail. Mail content is only ever inserted as text or in the sandbox.

import { CLIP, ask, askJson, icon, make, paintAvatar, person, shortTime, size } from "./pieces.js";
import { PAINTERS, VIEWS } from "./views.js";

const PAGE = 100;
const RETRY_MS = 2000;
const SEEN_KEY = "mailbox.seen";

const onPhone = () => matchMedia("(max-width: 820px)").matches;
const at = (id) => document.getElementById(id);
const state = { revision: 0, limit: PAGE, query: "", items: [], total: 0, mail: null, view: "html", known: null };
const seen = new Set(JSON.parse(localStorage.getItem(SEEN_KEY) ?? "[]"));

function announce(text) {
  at("toast").textContent = text;
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => { at("toast").textContent = ""; }, 3500);
}

// --- the list ------------------------------------------------------------------------------------------------------

function line(item) {
  const row = make("li", seen.has(item.id) ? "" : "new");
  if (state.known && !state.known.has(item.id)) row.classList.add("arrived");
  const link = make("a");
  link.href = `#/message/${item.id}`;
  if (item.id === state.mail?.id) link.setAttribute("aria-current", "true");
  const avatar = make("span", "avatar");
  avatar.setAttribute("aria-hidden", "true");
  paintAvatar(avatar, item.author);
  const time = make("time", "", shortTime(item.received));
  time.dateTime = item.received;
  const about = make("span", "about", item.subject || "(no subject)");
  link.append(avatar, make("span", "from", person(item.author).name), time, about, make("span", "snippet", item.snippet));
  if (item.attachments) {
    link.classList.add("clipped");
    const clip = make("span", "clip");
    clip.append(icon(CLIP), make("span", "", String(item.attachments)), make("span", "sr", "attachments"));
    link.append(clip);
  }
  if (!seen.has(item.id)) link.prepend(make("span", "sr", "Unread"));
  row.append(link);
  return row;
}

function paintList() {
  const focused = document.activeElement?.closest?.("#mails a")?.hash;
  at("mails").replaceChildren(...state.items.map(line));
  if (focused) at("mails").querySelector(`a[href="${focused}"]`)?.focus({ preventScroll: true });
  const fresh = state.items.filter((item) => !seen.has(item.id)).length;
  document.title = fresh ? `(${fresh}) Mailbox` : "Mailbox";
  const amount = `${state.total} ${state.total === 1 ? "mail" : "mails"}`;
  at("count").textContent = state.query ? `${amount} for “${state.query}”` : amount;
  at("count").hidden = !state.total;
  at("more").hidden = state.items.length >= state.total;
  at("delete-all").disabled = !state.total && !state.query;
  at("empty").hidden = state.total > 0;
  at("empty-title").textContent = state.query ? "Nothing found" : "No mail yet";
  at("empty-text").textContent = state.query
    ? `No mail contains “${state.query}”.`
    : `Send one by SMTP to ${state.smtp}. Every sender, recipient and password is accepted, and nothing leaves here.`;
}

async function loadList() {
  const asked = state.query;
  const answer = await askJson(`/api/page/messages?limit=${state.limit}&query=${encodeURIComponent(asked)}`);
  if (asked !== state.query) return;
  Object.assign(state, answer);
  paintList();
  state.known = new Set(state.items.map((item) => item.id));
}

function showLive(word) {
  at("live").dataset.state = word;
  at("live-text").textContent = { live: "Live", lost: "Connection lost", paused: "Paused" }[word];
}

async function follow() {
  for (;;) {
    // A hidden page would hold one of the few connections that a browser allows to one server.
    if (document.hidden) {
      showLive("paused");
      await new Promise((resolve) => { document.addEventListener("visibilitychange", resolve, { once: true }); });
      continue;
    }
    try {
      const { revision } = await askJson(`/api/page/changes?since=${state.revision}&timeout=25`);
      showLive("live");
      if (revision !== state.revision) await loadList();
    } catch {
      showLive("lost");
      await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
    }
  }
}

// --- one mail ------------------------------------------------------------------------------------------------------

function markSeen(id) {
  seen.add(id);
  localStorage.setItem(SEEN_KEY, JSON.stringify([...seen].slice(-5000)));
}

function paintFiles(mail) {
  at("files").replaceChildren(...mail.attachments.map((file) => {
    const link = make("a");
    link.href = `/messages/${mail.id}/parts/${file.number}`;
    link.download = file.name;
    link.title = `${file.name} (${file.media_type})`;
    link.append(icon(CLIP), make("b", "", file.name), make("small", "", size(file.size)));
    const row = make("li");
    row.append(link);
    return row;
  }));
}

function paintMail(mail) {
  const from = person(mail.author);
  at("subject").textContent = mail.subject || "(no subject)";
  at("author").textContent = from.name;
  at("author-address").textContent = from.address ? `<${from.address}>` : "";
  at("addressees").textContent = `to ${mail.addressees}${mail.copies ? `, copy to ${mail.copies}` : ""}`;
  at("received").textContent = new Date(mail.received).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  at("received").dateTime = mail.received;
  at("download").href = `/api/v1/messages/${mail.id}/download`;
  at("download").title = `Source as .eml file, ${size(mail.size)}`;
  paintAvatar(at("avatar"), mail.author);
  paintFiles(mail);
  at("tab-html").disabled = !mail.has_html;
  at("tab-text").disabled = !mail.text && mail.has_html;
  const usable = VIEWS.find((view) => view === state.view && !at(`tab-${view}`).disabled);
  showView(usable ?? (mail.has_html ? "html" : "text"));
}

async function showView(view) {
  const mail = state.mail;
  state.view = view;
  for (const name of VIEWS) {
    at(`tab-${name}`).setAttribute("aria-selected", String(name === view));
    at(`tab-${name}`).tabIndex = name === view ? 0 : -1;
  }
  at("view").setAttribute("aria-labelledby", `tab-${view}`);
  at("notice").hidden = view !== "html" || !mail.has_remote_content;
  at("narrow").hidden = view !== "html";
  const content = await PAINTERS[view](mail);
  if (state.mail === mail && state.view === view) at("view").replaceChildren(content);
}

function showMail(mail) {
  state.mail = mail;
  at("panes").classList.toggle("open", mail !== null);
  at("mail").hidden = mail === null;
  at("nothing").hidden = mail !== null;
  if (mail) {
    markSeen(mail.id);
    paintMail(mail);
    at("reader").scrollTop = 0;
  }
  paintList();
}

async function followAddress() {
  const id = /^#\/message\/([\w.-]+)$/.exec(location.hash)?.[1];
  if (!id) return showMail(null);
  try {
    const mail = await askJson(`/api/page/messages/${id}`);
    if (!location.hash.endsWith(id)) return;
    showMail(mail);
    if (onPhone()) at("reader").focus();
  } catch (problem) {
    announce(problem.status === 404 ? "This mail is no longer here." : "The mail could not be loaded.");
    location.hash = "#/";
  }
}

async function openByMessageId(messageId) {
  announce("Waiting for the mail to arrive …");
  try {
    const found = await askJson(`/api/v2/wait?timeout=20&message_id=${encodeURIComponent(messageId)}`);
    announce("");
    history.replaceState(null, "", `/#/message/${found.ID}`);
  } catch {
    announce("No mail with this Message-ID has arrived.");
    history.replaceState(null, "", "/#/");
  }
  await followAddress();
}

function step(by) {
  const index = state.items.findIndex((item) => item.id === state.mail?.id);
  const next = state.items[index < 0 ? 0 : index + by];
  if (!next) return;
  location.hash = `#/message/${next.id}`;
  at("mails").querySelector(`a[href$="${next.id}"]`)?.scrollIntoView({ block: "nearest" });
}

async function deleteOne() {
  const index = state.items.findIndex((item) => item.id === state.mail.id);
  const next = state.items[index + 1] ?? state.items[index - 1];
  await ask(`/api/v1/messages/${state.mail.id}`, { method: "DELETE" });
  announce("Mail deleted.");
  location.hash = next && !onPhone() ? `#/message/${next.id}` : "#/";
}

async function deleteAll() {
  at("confirm-text").textContent = state.query
    ? "Every mail in this mailbox goes, also those that the search does not show."
    : "Every mail in this mailbox goes. There is no way back.";
  at("confirm").showModal();
  await new Promise((resolve) => { at("confirm").addEventListener("close", resolve, { once: true }); });
  if (at("confirm").returnValue !== "yes") return;
  const { deleted } = await askJson("/api/v1/messages", { method: "DELETE" });
  announce(`${deleted} deleted.`);
  location.hash = "#/";
}

// --- wiring --------------------------------------------------------------------------------------------------------

const guarded = (action) => () => action().catch(() => announce("The mailbox did not answer. Nothing was changed."));

function search() {
  clearTimeout(search.timer);
  search.timer = setTimeout(() => {
    Object.assign(state, { query: at("query").value.trim(), limit: PAGE, known: null });
    loadList().catch(() => showLive("lost"));
  }, 150);
}

function onTabKey(event) {
  const usable = VIEWS.filter((view) => !at(`tab-${view}`).disabled);
  const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!move) return;
  const next = usable[(usable.indexOf(state.view) + move + usable.length) % usable.length];
  showView(next);
  at(`tab-${next}`).focus();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || at("confirm").open) return;
  if (event.target === at("query")) {
    if (event.key === "Escape") { at("query").value = ""; search(); at("query").blur(); }
    return;
  }
  if (event.key === "/") { event.preventDefault(); at("query").focus(); }
  if (event.key === "j") step(1);
  if (event.key === "k") step(-1);
  if (event.key === "Escape") location.hash = "#/";
}

async function start() {
  addEventListener("hashchange", followAddress);
  addEventListener("keydown", onKey);
  at("query").addEventListener("input", search);
  at("search").addEventListener("submit", (event) => { event.preventDefault(); search(); });
  at("more").addEventListener("click", () => { state.limit += PAGE; guarded(loadList)(); });
  at("delete").addEventListener("click", guarded(deleteOne));
  at("delete-all").addEventListener("click", guarded(deleteAll));
  at("narrow").addEventListener("click", () => {
    at("narrow").setAttribute("aria-pressed", at("view").classList.toggle("narrow"));
  });
  at("copy").addEventListener("click", guarded(async () => {
    await navigator.clipboard.writeText(location.href);
    announce("Link copied.");
  }));
  document.querySelector(".tabs").addEventListener("keydown", onTabKey);
  for (const view of VIEWS) at(`tab-${view}`).addEventListener("click", () => showView(view));
  setInterval(paintList, 60_000);
  await loadList().then(() => showLive("live"), () => showLive("lost"));
  const wanted = new URLSearchParams(location.search).get("message_id");
  follow();
  await (wanted ? openByMessageId(wanted) : followAddress());
}

start();
