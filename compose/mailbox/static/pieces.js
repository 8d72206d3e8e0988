// Small pieces the page is made of: elements, requests, and the words for people, sizes and times.

export const CLIP = "M14.5 9 9.4 14a3 3 0 0 1-4.3-4.2l5.6-5.6a2 2 0 0 1 2.9 2.9l-5.5 5.4";
const LINK = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]]/g;

export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

export function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(svg.namespaceURI, "path"));
  svg.firstChild.setAttribute("d", path);
  return svg;
}

export async function ask(path, options = {}) {
  const response = await fetch(path, options);
  if (!response.ok) throw Object.assign(new Error(`${path}: ${response.status}`), { status: response.status });
  return response;
}
export const askJson = async (path, options) => (await ask(path, options)).json();

export function person(field) {
  const match = /^\s*"?(.*?)"?\s*<([^>]*)>/.exec(field);
  return { name: match?.[1] || match?.[2] || field || "Nobody", address: match?.[1] ? match[2] : "" };
}

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

export function shortTime(iso) {
  const moment = new Date(iso);
  const age = (Date.now() - moment) / 1000;
  if (age < 60) return "now";
  if (age < 3600) return `${Math.floor(age / 60)} min`;
  if (moment.toDateString() === new Date().toDateString()) {
    return moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }
  return moment.toLocaleDateString([], { day: "numeric", month: "short" });
}

export function paintAvatar(element, field) {
  const { name } = person(field);
  const hue = [...field].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 360, 7);
  element.textContent = [...name.replace(/[^\p{L}\p{N}]/gu, "")][0]?.toUpperCase() ?? "?";
  element.style.setProperty("--hue", hue);
}

export function withLinks(text) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const link = make("a", "", match[0]);
    Object.assign(link, { href: match[0], target: "_blank", rel: "noopener noreferrer" });
    fragment.append(text.slice(end, match.index), link);
    end = match.index + match[0].length;
  }
  fragment.append(text.slice(end));
  return fragment;
}
