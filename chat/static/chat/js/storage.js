/**
 * What the browser keeps for this page: for the tab, and on this computer.
 *
 * In the frame of another site (docs/widget.md) a browser may forbid both; then it is kept until
 * the page is left.
 */

class Memory {
  #values = new Map();

  getItem(name) {
    return this.#values.get(name) ?? null;
  }

  setItem(name, value) {
    this.#values.set(name, String(value));
  }

  removeItem(name) {
    this.#values.delete(name);
  }
}

function kept(read) {
  try {
    return read();
  } catch {
    return new Memory();
  }
}

export const ofTab = kept(() => sessionStorage);
export const ofComputer = kept(() => localStorage);
