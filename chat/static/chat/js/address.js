/** What is open, in the address: Back, reload and a bookmark lead to the same place. */

const listeners = [];

/** What the address says: `vista` ("validar" or nothing), `validacion`, `lote`, `historial`. */
export const readAddress = () => Object.fromEntries(new URLSearchParams(location.search));

/**
 * Say what is open now. A new entry for Back, unless nothing changed or `replace` says so.
 *
 * @param {Object} parts Names and values; empty ones are left out.
 */
export function writeAddress(parts, { replace = false } = {}) {
  const kept = Object.entries(parts).filter(([, value]) => value);
  const search = kept.length ? `?${new URLSearchParams(kept)}` : "";
  if (search === location.search) return;
  const address = location.pathname + search;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
}

/** Call `show(parts)` whenever Back or Forward changed the address. */
export function onAddressChange(show) {
  listeners.push(show);
}

addEventListener("popstate", () => {
  for (const show of listeners) show(readAddress());
});
