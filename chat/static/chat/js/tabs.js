/** The two tabs, after the ARIA pattern: arrows move, the hidden panel keeps its state. */

const NEXT = { ArrowRight: 1, ArrowLeft: -1 };

const nameOf = (tab) => tab.id.replace("tab-", "");

/**
 * Wire the tab list; the result's `show(name)` selects "chat" or "validate".
 *
 * @param {function(string): void} chosen Told of the tab that the visitor chose.
 */
export function setUpTabs(chosen) {
  const tabs = [...document.querySelectorAll('[role="tab"]')];

  function select(tab) {
    for (const other of tabs) {
      const isChosen = other === tab;
      other.setAttribute("aria-selected", String(isChosen));
      other.tabIndex = isChosen ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !isChosen;
    }
  }

  function choose(tab) {
    select(tab);
    chosen(nameOf(tab));
  }

  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = NEXT[event.key];
      if (!step) return;
      const next = tabs[(index + step + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
  });
  return { show: (name) => select(document.getElementById(`tab-${name}`)) };
}
