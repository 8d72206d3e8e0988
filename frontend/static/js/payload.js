// The fields that a person may change, and the one-line gist of each closed group.

import { byId } from "./dom.js";

export function valuesFor(button) {
  return button.form ? Object.fromEntries(new FormData(button.form)) : {};
}

export function watchFields() {
  for (const gist of document.querySelectorAll("[data-gist-of]")) {
    const form = byId(gist.dataset.gistOf);
    const refresh = () => {
      gist.textContent = gistOf(Object.fromEntries(new FormData(form)));
    };
    form.addEventListener("input", refresh);
    // Enter in a field presses the form's first button; the browser's own submission would leave the page.
    form.addEventListener("submit", (event) => event.preventDefault());
    refresh();
  }
}

function gistOf(values) {
  if ("email" in values) return values.email;
  if ("to" in values) return `to ${values.to}`;
  return `${values.name}: ${values.data}`;
}
