// JSON as indented, coloured text. Only text nodes are made of what came over the wire.

import { el } from "./dom.js";

// Colouring a huge answer would make the page stutter and nobody reads it to the end.
const COLOURED_UP_TO = 60_000;

export function jsonView(value) {
  const text = JSON.stringify(value, null, 2);
  const fragment = document.createDocumentFragment();
  fragment.append(...(text.length > COLOURED_UP_TO ? [text] : coloured(text)));
  return fragment;
}

// In the output of JSON.stringify a string that is followed by a colon is a key.
const TOKEN = /("(?:[^"\\]|\\.)*")(:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/gi;

function* coloured(text) {
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    yield text.slice(end, match.index);
    const [token, string, colon, word] = match;
    const kind = string ? (colon ? "key" : "string") : word ? "word" : "number";
    yield el("span", { class: `json-${kind}` }, string ?? token);
    if (colon) yield colon;
    end = match.index + token.length;
  }
  yield text.slice(end);
}
