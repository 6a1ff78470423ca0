/** The key's conversations beside the current one: a panel, on a phone a drawer. */

import {
  ApiError,
  deleteSession,
  exportSession,
  readConversations,
  renameSession,
} from "../api.js";
import { announce, byId, el, icon } from "../dom.js";
import { formatMoment } from "../format.js";
import { currentKey } from "../key.js";
import { save } from "../save.js";
import { ofComputer } from "../storage.js";

const PAUSE = 250; // milliseconds of typing before a search is sent
const CLOSED = "aiservice.sidebar";

export class Sidebar {
  /**
   * @param {Object} told What the visitor did: `open(session)`, `renamed(session)`,
   *   `deleted(session)`.
   */
  constructor(told) {
    this.told = told;
    this.current = null;
    this.next = null;
    this.node = byId("sidebar");
    this.list = byId("conversations");
    this.status = byId("conversations-status");
    this.more = byId("conversations-more");
    this.search = byId("conversations-search");
    this.more.addEventListener("click", () => this.read({ next: this.next }));
    this.search.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.refresh(), PAUSE);
    });
    setUpDrawer(this.node);
  }

  /** Read the list anew, if there is a key to read it with. */
  async refresh() {
    if (this.list.querySelector(".conversation-form")) return; // somebody is at it
    if (!currentKey()) {
      this.list.replaceChildren();
      this.more.hidden = true;
      this.status.textContent = "Aquí quedan sus conversaciones.";
      return;
    }
    await this.read({ search: this.search.value.trim() });
  }

  async read(asked) {
    this.asked = (this.asked ?? 0) + 1;
    const mine = this.asked;
    try {
      const page = await readConversations(asked);
      if (mine !== this.asked) return; // a later search is on its way
      const items = page.results.map((one) => this.itemOf(one));
      if (asked.next) this.list.append(...items);
      else this.list.replaceChildren(...items);
      this.next = page.next;
      this.more.hidden = !page.next;
      this.status.textContent = this.list.childElementCount ? "" : this.nothing();
      this.mark(this.current);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.status.textContent = error.message;
    }
  }

  nothing() {
    return this.search.value.trim()
      ? "Ninguna conversación dice eso."
      : "Aquí quedan sus conversaciones.";
  }

  /** Show which conversation is open. */
  mark(session) {
    this.current = session;
    for (const item of this.list.children) {
      const open = item.querySelector(".conversation-open");
      if (item.dataset.session === session) open?.setAttribute("aria-current", "true");
      else open?.removeAttribute("aria-current");
    }
  }

  itemOf(conversation) {
    const { session_id: session, title, updated_at: at } = conversation;
    const shown = title || "Conversación sin título";
    const item = el("li", { class: "conversation", data: { session } });
    item.append(
      el(
        "button",
        {
          class: "conversation-open",
          type: "button",
          title: shown,
          on: {
            click: () => {
              closeDrawer(this.node);
              this.told.open(session);
            },
          },
        },
        el("span", { class: "conversation-title" }, shown),
        el("span", { class: "conversation-date" }, formatMoment(at)),
      ),
      this.menuOf(item, conversation, shown),
    );
    return item;
  }

  menuOf(item, conversation, shown) {
    const { session_id: session } = conversation;
    const menu = el(
      "details",
      { class: "menu" },
      el("summary", { class: "icon-button", "aria-label": `Acciones de «${shown}»` }, icon("more")),
    );
    const entry = (iconName, label, act) =>
      el(
        "button",
        {
          type: "button",
          on: {
            click: () => {
              menu.open = false;
              this.attempt(act);
            },
          },
        },
        icon(iconName),
        label,
      );
    menu.append(
      el(
        "div",
        { class: "menu-entries" },
        entry("edit", "Renombrar", () => this.rename(item, conversation, shown)),
        entry("download", "Exportar (Markdown)", () => take(session, shown, "markdown")),
        entry("download", "Exportar (JSON)", () => take(session, shown, "json")),
        entry("trash", "Borrar", () => this.askToDelete(item, conversation, shown)),
      ),
    );
    menu.addEventListener("toggle", () => {
      if (menu.open) closeOthers(this.list, menu);
    });
    return menu;
  }

  async attempt(act) {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.status.textContent = error.message;
    }
  }

  rename(item, conversation, shown) {
    const input = el("input", { class: "field", "aria-label": "Título", maxlength: 120 });
    input.value = shown;
    const form = el("form", { class: "conversation-form" }, input);
    const restore = (title) => item.replaceWith(this.itemOf({ ...conversation, title }));
    const cancel = () => {
      restore(conversation.title);
      this.mark(this.current);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.attempt(async () => {
        const { title } = await renameSession(conversation.session_id, input.value.trim());
        restore(title);
        this.mark(this.current);
        announce("Conversación renombrada.");
        this.told.renamed(conversation.session_id);
      });
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      cancel();
    });
    form.append(
      el(
        "div",
        { class: "conversation-form-actions" },
        el(
          "button",
          { class: "button button-small", type: "button", on: { click: cancel } },
          "Cancelar",
        ),
        el("button", { class: "button button-small button-primary", type: "submit" }, "Guardar"),
      ),
    );
    item.replaceChildren(form);
    input.select();
  }

  askToDelete(item, conversation, shown) {
    const { session_id: session } = conversation;
    const keep = () => {
      item.replaceWith(this.itemOf(conversation));
      this.mark(this.current);
    };
    const erase = () =>
      this.attempt(async () => {
        await deleteSession(session);
        item.remove();
        announce("Conversación borrada.");
        this.told.deleted(session);
      });
    item.replaceChildren(
      el(
        "div",
        { class: "conversation-form", role: "group", "aria-label": `Borrar «${shown}»` },
        el("p", {}, `¿Borrar «${shown}»? No se puede deshacer.`),
        el(
          "div",
          { class: "conversation-form-actions" },
          el(
            "button",
            { class: "button button-small", type: "button", on: { click: keep } },
            "Cancelar",
          ),
          el(
            "button",
            { class: "button button-small button-danger", type: "button", on: { click: erase } },
            "Borrar",
          ),
        ),
      ),
    );
    item.querySelector("button").focus();
  }
}

const EXTENSIONS = { json: "json", markdown: "md" };

async function take(session, title, format) {
  const blob = await exportSession(session, format);
  const stem = title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "conversacion";
  save(`${stem.slice(0, 60)}.${EXTENSIONS[format]}`, blob.type, blob);
}

function closeOthers(list, kept) {
  for (const menu of list.querySelectorAll("details.menu[open]"))
    if (menu !== kept) menu.open = false;
}

// --- The drawer ---

const isNarrow = () => matchMedia("(max-width: 900px)").matches;

function setUpDrawer(node) {
  const button = byId("sidebar-toggle");
  const shade = byId("sidebar-shade");
  if (ofComputer.getItem(CLOSED)) document.body.classList.add("without-sidebar");
  tellButton(node);
  button.addEventListener("click", () => {
    if (isNarrow()) openDrawer(node);
    else {
      const closed = document.body.classList.toggle("without-sidebar");
      if (closed) ofComputer.setItem(CLOSED, "1");
      else ofComputer.removeItem(CLOSED);
    }
    tellButton(node);
  });
  shade.addEventListener("click", () => closeDrawer(node));
  byId("sidebar-close").addEventListener("click", () => closeDrawer(node));
  node.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closeDrawer(node);
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("details.menu")) closeOthers(node, null);
  });
  addEventListener("resize", () => tellButton(node));
}

function openDrawer(node) {
  node.classList.add("is-open");
  byId("sidebar-shade").hidden = false;
  byId("conversation").inert = true;
  byId("conversations-search").focus();
}

function closeDrawer(node) {
  closeOthers(node, null);
  if (!node.classList.contains("is-open")) return;
  node.classList.remove("is-open");
  byId("sidebar-shade").hidden = true;
  byId("conversation").inert = false;
  tellButton(node);
  byId("sidebar-toggle").focus();
}

function tellButton(node) {
  const open = isNarrow()
    ? node.classList.contains("is-open")
    : !document.body.classList.contains("without-sidebar");
  byId("sidebar-toggle").setAttribute("aria-expanded", String(open));
}
