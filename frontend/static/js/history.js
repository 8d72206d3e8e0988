// The exchanges of this tab, newest first, and which of them is shown. Views subscribe; nobody else holds state.

const KEPT = 50;

export class History extends EventTarget {
  #exchanges = [];
  #shownId = null;
  #nextId = 1;

  add(exchange) {
    const added = Object.freeze({ ...exchange, id: this.#nextId++ });
    this.#exchanges = [added, ...this.#exchanges].slice(0, KEPT);
    this.#shownId = added.id;
    this.#tell(added);
    return added.id;
  }

  // An exchange that fell off the end may still be answered: that is nobody's news any more.
  change(id, changes) {
    const index = this.#exchanges.findIndex((exchange) => exchange.id === id);
    if (index < 0) return;
    const changed = Object.freeze({ ...this.#exchanges[index], ...changes });
    this.#exchanges = this.#exchanges.with(index, changed);
    this.#tell(changed);
  }

  show(id) {
    this.#shownId = id;
    this.#tell(null);
  }

  get all() {
    return this.#exchanges;
  }

  get shown() {
    return this.#exchanges.find((exchange) => exchange.id === this.#shownId) ?? null;
  }

  latestOf(action) {
    return this.#exchanges.find((exchange) => exchange.action === action) ?? null;
  }

  #tell(exchange) {
    this.dispatchEvent(new CustomEvent("change", { detail: exchange }));
  }
}
